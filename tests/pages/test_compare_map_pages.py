"""Comparison, map and families over HTTP and as pages, against the store as a dense matrix."""

from __future__ import annotations

import csv
import io
import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from dash import Dash
from dash._get_app import app_context
from safetensors.numpy import load_file
from sklearn.decomposition import PCA

from app import create_app
from components.families import spans
from pages import feature_map, feature_map_families, feature_map_selection
from pages.compare_features import CompareState
from pages.context import container_of
from pages.feature_map_state import MapState
from services.container import Container
from services.demo import ARTEFACTS
from services.errors import Conflict, InvalidArgument, NotFound
from services.extraction.requests import StartExtraction
from services.jobs.context import Cancelled
from services.maps.kind import make_map
from services.maps.requests import KeepFamilies, MapOptions, MapParams, MapQuery
from services.settings import Settings
from services.types import JobStatus
from tests.pages.dash_client import Client
from tests.pages.test_layouts import BAD_QUERIES, show

L1, L2 = "demo-l1-res", "demo-l2-res"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """One app, whose SAEs have read some of the demo's corpus together."""
    home = tmp_path_factory.mktemp("maps")
    made = create_app(Settings(home=home, preload=False, device="cpu", _env_file=None))
    container = container_of(made)
    request = StartExtraction.parse(
        {"sae_ids": [L1, L2], "corpus_id": "demo", "max_tokens": 800, "request_key": "maps"}
    )
    job_id = container.extractions.start(request)[0].job_id
    assert job_id is not None
    job = container.jobs.wait(job_id, 200)
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    yield made
    container.close()


@pytest.fixture(scope="module")
def container(served: Dash) -> Container:
    return container_of(served)


@pytest.fixture(scope="module")
def dense(container: Container) -> dict[str, np.ndarray]:
    """The activations of each SAE [counted tokens, d_sae], as they are stored."""
    found = {}
    for sae_id in (L1, L2):
        store = container.stores.open(container.extractions.readable(sae_id).extraction_id)
        values = np.zeros((store.n_tokens, store.spec.d_sae))
        for feature in range(store.spec.d_sae):
            fired = store.feature(feature)
            values[fired.positions, feature] = fired.values
        counted = store.counted_at(np.arange(store.n_tokens))
        assert not values[~counted].any()
        found[sae_id] = values[counted]
    return found


@pytest.fixture(scope="module")
def unit() -> np.ndarray:
    """Directions of the first SAE."""
    W_dec = load_file(ARTEFACTS / "saes" / L1 / "sae_weights.safetensors")["W_dec"].astype(
        np.float64
    )
    return W_dec / np.linalg.norm(W_dec, axis=1, keepdims=True)


@pytest.fixture
def client(served: Dash) -> Client:
    return Client(served)


@pytest.fixture
def in_app(served: Dash) -> Iterator[None]:
    """As within a request: callbacks are plain functions then."""
    with served.server.app_context():
        app_context.set(served)
        yield


def get(client: Client, path: str, status: int = 200) -> Any:
    answer = client.http.get(f"/api/v1{path}", base_url="http://localhost")
    assert answer.status_code == status, answer.text
    return answer


def text_of(component: Any) -> str:
    """The component as the browser receives it."""
    return json.dumps(component, default=lambda c: c.to_plotly_json(), ensure_ascii=False)


def busiest(values: np.ndarray, n: int) -> list[int]:
    return np.argsort(-(values != 0).sum(axis=0), kind="stable")[:n].tolist()


def test_a_comparison_is_what_the_dense_matrices_say(
    client: Client, dense: dict[str, np.ndarray], unit: np.ndarray
) -> None:
    chosen = [(L1, f) for f in busiest(dense[L1], 2)] + [(L2, f) for f in busiest(dense[L2], 2)]
    names = ",".join(f"{sae_id}:{f}" for sae_id, f in chosen)
    found = get(client, f"/features/compare?f={quote(names)}&shared=5").get_json()
    columns = [dense[sae_id][:, f] for sae_id, f in chosen]
    for i, one in enumerate(columns):
        view = found["features"][i]["view"]
        assert view["known"]["n"] == int((one != 0).sum())
        assert sum(found["features"][i]["histogram"]["counts"]) == view["known"]["n"]
        for j, other in enumerate(columns):
            both, either = ((one != 0) & (other != 0)).sum(), ((one != 0) | (other != 0)).sum()
            assert found["count"][i][j] == both
            assert found["jaccard"][i][j] == pytest.approx(both / either)
            r = np.corrcoef(one, other)[0, 1]
            assert found["correlation"][i][j] == pytest.approx(r, abs=1e-9)
    (a, b), rows = (chosen[0][1], chosen[1][1]), found["cosine"]
    assert rows[0][1] == pytest.approx(float(unit[a] @ unit[b]), abs=1e-5)
    assert rows[0][2] is None
    assert any("Cosines" in note for note in found["notes"])
    for shared in found["shared"]:
        tops = [column.max() for column in columns]
        relative = sorted(v / top for v, top in zip(shared["values"], tops, strict=True))
        assert shared["score"] == pytest.approx(relative[-2])
        at = shared["example"]["example"]["context"]["position"]
        assert at == shared["position"]
    scores = [shared["score"] for shared in found["shared"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)


def test_a_comparison_is_exported_as_markdown(client: Client) -> None:
    answer = get(client, f"/features/compare?f={L1}:3,{L1}:5&format=markdown")
    assert answer.mimetype == "text/markdown"
    for heading in ("## Decoder cosine", "## Correlation", "## Tokens"):
        assert heading in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"f={L1}:3", 400), (f"f={L1}:3,{L1}:3", 400), (f"f={L1}:3,{L1}:99999", 404),
        (f"f={L1}:3,nobody:1", 404), (f"f={L1}:3,{L1}:4&store=nothing", 404), ("", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(client: Client, path: str, status: int) -> None:
    get(client, f"/features/compare?{path}", status)


def test_the_map_is_the_pca_of_the_directions(client: Client, unit: np.ndarray) -> None:
    found = get(client, f"/saes/{L1}/map").get_json()
    reference = PCA(2, svd_solver="full").fit(unit.astype(np.float64))
    points = np.stack([found["x"], found["y"]], axis=1)
    np.testing.assert_allclose(np.abs(points), np.abs(reference.transform(unit)), atol=1e-4)
    np.testing.assert_allclose(found["explained"], reference.explained_variance_ratio_, rtol=1e-4)
    assert found["features"] == list(range(len(unit)))
    stream = get(client, f"/saes/{L1}/map?format=arrow").data
    assert len(stream) > 4 * 3 * len(unit)


def test_points_are_coloured_by_what_the_table_has(
    client: Client, container: Container, dense: dict[str, np.ndarray]
) -> None:
    found = get(client, f"/saes/{L1}/map/colours").get_json()
    density = (dense[L1] != 0).mean(axis=0)
    np.testing.assert_allclose(found["values"], density)
    largest = get(client, f"/saes/{L1}/map/colours?by=max").get_json()["values"]
    fires = density > 0
    np.testing.assert_allclose(
        np.array(largest, float)[fires], dense[L1].max(axis=0)[fires], rtol=1e-6
    )
    families = get(client, f"/saes/{L1}/map/colours?by=family&threshold=0.5").get_json()
    first = get(client, f"/saes/{L1}/families?threshold=0.5").get_json()["families"][0]
    assert [i for i, v in enumerate(families["values"]) if v == 0] == first["features"]
    get(client, f"/saes/{L1}/map/colours?by=nothing", 400)


def test_a_umap_is_made_by_a_job(client: Client, container: Container) -> None:
    get(client, f"/saes/{L1}/map?method=umap", 404)
    query = MapQuery(sae_id=L1, method="umap", seed=1)
    assert container.maps.making(query) is None
    with pytest.raises(InvalidArgument):
        container.maps.start(MapQuery(sae_id=L1))
    options = MapOptions(method="umap", seed=1)
    assert query.parameters() == options.parameters()  # or the job would make another map

    class Stopped:
        def begin(self, phase: str, *_: Any) -> None:
            if phase == "layout":
                raise Cancelled

        def progress(self, *_: Any) -> None: ...
        def give_way(self) -> None: ...

    maps = container.maps
    params = MapParams(sae_id=L1, options={"method": "umap"}, map_id="0" * 32)
    with pytest.raises(Conflict):
        make_map(Stopped(), params, maps._parts.decoders, maps._parts.vectors, maps._parts.files)


@pytest.mark.thorough  # numba compiles
def test_a_umap_is_made_once_and_kept(client: Client, container: Container) -> None:
    body = {"method": "umap", "n_neighbors": 5, "seed": 2}
    url = f"/api/v1/saes/{L1}/map"
    started = client.http.post(url, json=body, base_url="http://localhost")
    assert started.status_code == 202
    job = container.jobs.wait(started.get_json()["job_id"], 200)
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    found = get(client, f"/saes/{L1}/map?method=umap&n_neighbors=5&seed=2").get_json()
    assert len(found["x"]) == 1536
    again = client.http.post(url, json=body, base_url="http://localhost").get_json()
    assert again["job_id"] == job.job_id
    for file in container.settings.home.glob(f"derived/maps/{L1}/{found['map_id']}.parquet"):
        file.unlink()
    query = MapQuery(sae_id=L1, method="umap", n_neighbors=5, seed=2)
    restarted = container.maps.start(query)
    assert restarted.job_id != job.job_id
    container.jobs.wait(restarted.job_id, 200)


def test_families_are_kept_listed_exported_and_removed(client: Client, unit: np.ndarray) -> None:
    base = f"/saes/{L1}/families"
    found = get(client, f"{base}?threshold=0.5").get_json()
    sizes = get(client, f"{base}/sizes?threshold=0.5").get_json()
    assert sizes["n_families"] == len(found["families"]) > 3
    for family in found["families"][:4]:
        rows = unit[family["features"]].astype(np.float64)
        mean = rows.mean(axis=0)
        cosine = (rows @ mean / np.linalg.norm(mean)).mean()
        assert family["cohesion"] == pytest.approx(cosine, abs=1e-5)
    body = {"threshold": 0.5, "name": "=First", "author": "me"}
    made = client.http.post(f"/api/v1{base}", json=body, base_url="http://localhost")
    assert made.status_code == 201
    kept = made.get_json()
    assert kept["families"] == found["families"]
    assert get(client, f"{base}/kept/{kept['set_id']}").get_json() == kept
    listed = get(client, f"{base}/kept").get_json()["items"]
    assert [one["name"] for one in listed] == ["=First"]
    assert listed[0]["n_families"] == len(found["families"])
    text = get(client, f"{base}/kept/{kept['set_id']}?format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    members = [(f["number"], i) for f in found["families"] for i in f["features"]]
    assert [(int(row["family"]), int(row["feature"])) for row in rows] == members
    get(client, f"/saes/{L2}/families/kept/{kept['set_id']}", 404)
    get(client, "/saes/none/families/kept", 404)
    url = f"/api/v1{base}/kept/{kept['set_id']}"
    assert client.http.delete(url, base_url="http://localhost").status_code == 204
    get(client, f"{base}/kept/{kept['set_id']}", 404)


def test_what_needs_the_decoder_says_what_makes_it(shared_client: Client) -> None:
    answer = get(shared_client, f"/saes/{L1}/families", 404).get_json()
    assert "actiscope extract" in answer["message"]
    assert len(get(shared_client, f"/saes/{L1}/map").get_json()["x"]) == 1536
    spec = shared_client.spec("families-sizes.children")
    assert "Start an extraction" in shared_client.post(spec, [{"sae": L1}]).text


@pytest.mark.parametrize("path", ["/features/compare", "/features/map"])
@pytest.mark.parametrize(
    "query",
    [*BAD_QUERIES, "?f=a&f=b:1&f=c:-1", "?f=" + "x" * 5000, "?sae=nobody&method=tsne&ids=1;2",
     "?sae=demo-l1-res&threshold=9&set=../x&colour=%00", "?store=../../etc&f=a:1&f=b:2"],
)  # fmt: skip
def test_no_query_string_breaks_a_page(shared_client: Client, path: str, query: str) -> None:
    answer = show(shared_client, path, query)
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.get_json(), "an error was reported"


def test_addresses_are_read() -> None:
    state = CompareState.parse({"f": ["a:1", "x", "a/b:2", "a:1"], "store": "s"})
    assert [str(name) for name in state.features] == ["a:1", "a/b:2"]
    assert state.store == ("s",)
    assert CompareState.parse({"f": "a:1"}).features[0].feature_id == 1
    wrong = {"method": "x", "threshold": "2", "ids": "3,5-9", "set": "../"}
    assert MapState.parse(wrong).as_data() == {"ids": "3,5-9"}
    assert spans([9, 3, 4, 5, 20]) == "3-5,9,20"
    assert spans([]) == ""


def test_the_page_of_a_comparison_shows_everything(client: Client, dense: dict[str, Any]) -> None:
    spec = client.spec("compare-body.children")
    features = [f"{L1}:{f}" for f in busiest(dense[L1], 3)]
    shown = client.post(spec, [{"f": features}], ["dark"]).text
    for said in ("Statistics", "Cosine of decoder directions", "Promotes", "Shared examples",
                 "comparison.md", "as-heat"):  # fmt: skip
        assert said in shown
    assert "Nothing to compare" in client.post(spec, [{"f": []}]).text
    alone = client.post(spec, [{"f": features[:1]}]).text
    assert "One feature alone" in alone
    assert "cosine" in alone
    wrong = client.post(spec, [{"f": [f"{L1}:3", f"{L1}:99999"]}]).get_json()
    assert "0 to 1535" in json.dumps(wrong["sideUpdate"]["compare-error"])


@pytest.mark.usefixtures("in_app")
def test_the_page_of_the_map_has_a_point_for_each_feature(container: Container) -> None:
    points, legend, labels, _, style, said, _, is_still = feature_map.draw({"sae": L1})
    assert len(b64decode(points["x"])) == 4 * 1536
    assert legend["kind"] == "number"
    assert labels == {}
    assert style == {}
    assert is_still
    assert "1,536 features" in text_of(said)
    codes = np.frombuffer(b64decode(points["colour"]), np.uint8)
    store = container.stores.open(container.extractions.readable(L1).extraction_id)
    assert ((codes == 0) == (store.counts() == 0)).all()
    grouped = feature_map.draw({"sae": L1, "colour": "family", "threshold": 0.5})
    assert "family 1" in text_of(grouped[3])
    unmade = feature_map.draw({"sae": L1, "method": "umap", "seed": 99})
    assert unmade[0] is None
    assert "not made yet" in text_of(unmade[5])


@pytest.mark.usefixtures("in_app")
def test_the_chosen_features_are_a_table(container: Container) -> None:
    shown = text_of(feature_map_selection.show_chosen({"ids": "3-40"}, {"sae": L1}))
    assert "38 features chosen, the first 25 listed" in shown
    assert f"/features?sae={L1}&ids=3-40" in shown.replace("%2C", ",")
    assert "None are chosen" in text_of(feature_map_selection.show_chosen(None, {"sae": L1}))
    found = container.maps.map(MapQuery(sae_id=L1))
    assert found is not None
    near = feature_map_selection.nearest_points(found, 7, 5)
    far = np.hypot(found.x - found.x[7], found.y - found.y[7])
    assert near[0] == 7
    assert set(near) == set(np.argsort(far, kind="stable")[:5].tolist())
    with pytest.raises(NotFound, match="1,536"):
        feature_map_selection.nearest_points(found, 5000, 5)


@pytest.mark.usefixtures("in_app")
def test_the_families_are_listed_and_kept_ones_shown(container: Container) -> None:
    asked = {"sae": L1, "threshold": 0.5}
    sizes, families, more = feature_map_families.show(asked, 3)
    assert "families" in text_of(sizes)
    assert text_of(families).count("cohesion") == 3
    assert more == {}
    request = KeepFamilies.parse({"sae_id": L1, "threshold": 0.6, "name": "<b>mine</b>"})
    kept = container.maps.keep(request)
    head, _, _ = feature_map_families.show(asked | {"set": kept.set_id}, 20)
    assert "mine" in text_of(head)
    assert str(kept.set_id) in text_of(feature_map_families.list_kept(1, asked))
    container.maps.forget(str(kept.set_id))
    none, _, _ = feature_map_families.show({"sae": L1, "threshold": 1.0}, 20)
    assert "lower it" in text_of(none)
