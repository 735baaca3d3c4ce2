"""The pages of jobs and corpora over HTTP: what they show, start and refuse."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from dash import Dash

from pages.context import container_of
from services.container import Container
from services.corpus.requests import AddCorpus, CorpusQuery, PreviewQuery
from services.jobs.ids import new_id
from services.jobs.requests import JobQuery
from services.settings import Settings
from services.types import CorpusInfo, JobStatus, JobView
from tests.pages.dash_client import Client
from tests.pages.test_layouts import BAD_QUERIES, show
from tests.pages.test_registry_pages import spec_of

GOOD = [{"text": f"ship {i} lies in the harbour", "town": f"town {i % 2}"} for i in range(25)]


@pytest.fixture
def container(app: Dash) -> Container:
    return container_of(app)


@pytest.fixture
def ships(settings: Settings) -> Path:
    """Documents below the data folder, and a line between them that is none."""
    path = settings.home / "import" / "ships.jsonl"
    path.parent.mkdir()
    lines = [json.dumps(row) for row in GOOD]
    path.write_text("\n".join([*lines[:3], '{"text": "broken', *lines[3:], ""]))
    return path


def added(container: Container, path: Path, **options: Any) -> JobView:
    """The final job that adds the file."""
    request = AddCorpus.parse({"path": str(path), **options})
    return container.jobs.wait(container.corpora.add(request).job_id, 60)


@pytest.fixture
def corpus(container: Container, ships: Path) -> CorpusInfo:
    job = added(container, ships, on_error="skip", name="Ships")
    assert job.result is not None, job
    return container.corpora.get(job.result["corpus_id"])


def response(client: Client, spec: str, *values: Any, state: Any = ()) -> Any:
    """What the callback of this output answers, and what it sets beside."""
    answer = client.post(client.spec(spec), [*values], [*state])
    assert answer.status_code == 200, answer.text
    return answer.get_json()


@pytest.mark.parametrize("path", ["/jobs", "/job", "/corpora", "/corpus", "/corpora/add"])
@pytest.mark.parametrize(
    "query",
    [*BAD_QUERIES, "?id=../../etc", "?id=" + "x" * 3000, "?status=x&kind=%00&deleted=maybe",
     "?source=moon&upload=zz&path=%00", "?document=-1&context=1&stride=x&bos=1&job=%3Cscript%3E"],
)  # fmt: skip
def test_no_query_string_breaks_a_page(shared_client: Client, path: str, query: str) -> None:
    answer = show(shared_client, path, query)
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.get_json(), "an error was reported"


def test_a_job_is_found_under_both_addresses(client: Client) -> None:
    id = new_id()
    for path in ("/jobs", "/job"):
        text = show(client, path, f"?id={id}").text
        assert "job-log" in text
        assert id in text


def test_an_import_that_fails_says_file_line_and_what_to_do(
    client: Client, container: Container, ships: Path
) -> None:
    job = added(container, ships)
    assert job.status is JobStatus.FAILED
    shown = response(client, "job-box.children", job.job_id, 1, None)["response"]
    text = json.dumps(shown["job-box"])
    for said in ("Failed", "ships.jsonl, line 4", "A retry begins again"):
        assert said in text
    assert shown["job-tick"]["disabled"] is True
    assert shown["job-retry"] == {"style": {}, "children": "Retry"}
    assert shown["job-seen"]["data"] == {"id": job.job_id, "status": "failed", "attempt": 1}
    log = response(client, "job-log.children", 1, None, state=[job.job_id])["response"]
    assert "line 4" in json.dumps(log["job-log"])


def test_a_retry_is_followed_to_what_it_made(
    client: Client, container: Container, ships: Path
) -> None:
    job = added(container, ships)
    ships.write_text("\n".join(json.dumps(row) for row in GOOD))
    client.post(spec_of(client, "job-retry"), [1], [job.job_id])
    done = container.jobs.wait(job.job_id, 60)
    assert done.status is JobStatus.SUCCEEDED, done
    shown = response(client, "job-box.children", job.job_id, 1, None)["response"]
    text = json.dumps(shown["job-box"])
    assert "25 documents, 0 lines skipped." in text
    assert f"/corpora?id={(done.result or {})['corpus_id']}" in text
    assert "/extractions/new?corpus=" in text
    page = json.dumps(response(client, "job-content.children", shown["job-seen"]["data"]))
    for said in ("Add corpus ships.jsonl", "Result", "Parameters", "Attempts"):
        assert said in page


def test_a_log_that_has_not_grown_is_not_sent_again(
    client: Client, container: Container, corpus: CorpusInfo
) -> None:
    job = container.jobs.list(JobQuery()).items[0]
    spec = client.spec("job-log.children")
    newest = client.post(spec, [1], [job.job_id, None]).get_json()["response"]["job-line"]["data"]
    assert client.post(spec, [2], [job.job_id, newest]).status_code == 204


def test_a_job_that_is_gone_is_asked_for_no_more(client: Client) -> None:
    side = response(client, "job-box.children", new_id(), 1, None)["sideUpdate"]
    assert "job-error" in side
    assert side["job-tick"] == {"disabled": True}


def test_the_list_parts_what_is_under_way_from_what_has_ended(
    client: Client, container: Container, corpus: CorpusInfo
) -> None:
    active = response(client, "jobs-active.children", {}, 1)["response"]
    assert active["jobs-tick"]["interval"] == 10_000, "nothing is under way: one looks rarely"
    ended = response(client, "jobs-items.children", {}, "/", None)["response"]
    assert "Add corpus Ships" in json.dumps(ended["jobs-items"])
    other = response(client, "jobs-items.children", {"kind": "extract"}, "/", None)["response"]
    assert "No job passes" in json.dumps(other["jobs-items"])
    waiting = response(client, "jobs-items.children", {"status": "queued"}, "/", None)["response"]
    assert "No job passes" in json.dumps(waiting["jobs-items"])


def test_a_job_that_was_started_elsewhere_is_noticed(
    client: Client, container: Container, settings: Settings, corpus: CorpusInfo
) -> None:
    spec = client.spec("jobs-active.children")
    before = client.post(spec, [{}, 1], [None]).get_json()["response"]["jobs-stamp"]["data"]
    same = client.post(spec, [{}, 2], [before]).get_json()["response"]
    assert "jobs-stamp" not in same, "the ended ones are not drawn again"
    path = settings.home / "other.txt"
    path.write_text("of somebody else")
    job = container.corpora.add(AddCorpus.parse({"path": str(path)}))
    container.jobs.wait(job.job_id, 60)
    after = client.post(spec, [{}, 3], [before]).get_json()["response"]
    assert after["jobs-stamp"]["data"].endswith(job.job_id)


def test_older_jobs_come_by_the_button(
    client: Client, container: Container, settings: Settings
) -> None:
    first, last = None, None
    for i in range(53):
        path = settings.home / f"small-{i}.txt"
        path.write_text("the same")
        last = container.corpora.add(AddCorpus.parse({"path": str(path)}))
        first = first or last
    assert first is not None
    assert last is not None
    deadline = time.monotonic() + 60
    while container.jobs.list(JobQuery(status=JobStatus.SUCCEEDED, limit=53)).items[53 - 1 :] == ():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    shown = response(client, "jobs-items.children", {}, "/", None)["response"]
    assert first.job_id not in json.dumps(shown["jobs-items"])
    assert shown["jobs-more"]["style"] == {}
    more = response(client, "jobs-items.children", {}, "", 1)["response"]
    assert first.job_id in json.dumps(more["jobs-items"])
    assert more["jobs-more"]["style"] == {"display": "none"}


def test_a_corpus_shows_facts_statistics_documents_and_what_was_left_out(
    client: Client, corpus: CorpusInfo
) -> None:
    listed = json.dumps(response(client, "corpora-items.children", {}, None))
    for said in ("Ships", "Demo", "Shipped with Actiscope"):
        assert said in listed
    head = response(client, "corpus-head.children", corpus.corpus_id, None)["response"]
    assert "Extract features over it" in json.dumps(head["corpus-head"])
    assert head["corpus-known"]["data"] == corpus.corpus_id
    stats = json.dumps(response(client, "corpus-statistics.children", corpus.corpus_id))
    for said in ("ships.jsonl", "not JSON", "Metadata: town", "town 1", "corpus-lengths"):
        assert said in stats
    at = {"document": 21}
    page = response(client, "corpus-documents.children", corpus.corpus_id, at)["response"]
    assert "ship 20 lies" in json.dumps(page["corpus-documents"])
    assert page["corpus-place"]["children"] == "21 to 25 of 25"
    assert (page["corpus-back"]["disabled"], page["corpus-next"]["disabled"]) == (False, True)
    beyond = response(client, "corpus-documents.children", corpus.corpus_id, {"document": 99})
    assert "No such document" in json.dumps(beyond["response"])


def test_a_corpus_that_is_not_there_is_said_once(client: Client) -> None:
    side = response(client, "corpus-head.children", "nobody", None)["sideUpdate"]
    assert "nobody" in json.dumps(side["corpus-error"])


def test_the_tokens_follow_model_and_options(client: Client, corpus: CorpusInfo) -> None:
    options = {"model": "actiscope-demo", "context": 8, "stride": 2}
    shown = json.dumps(response(client, "corpus-tokens.children", corpus.corpus_id, options))
    for said in ("corpus-windows", "8 tokens, 2 kept", "context only"):
        assert said in shown
    wrong = {"model": "nobody"}
    side = response(client, "corpus-tokens.children", corpus.corpus_id, wrong)["sideUpdate"]
    assert "nobody" in json.dumps(side["corpus-tokens-error"])


def test_deleting_asks_and_the_demo_keeps_its_files(client: Client, container: Container) -> None:
    doomed = {"id": "demo", "n": 1}
    asked = response(client, "corpus-question.children", doomed)["response"]
    assert asked["corpus-modal"]["title"] == "Delete corpus Demo?"
    spec = spec_of(client, '"name":"corpus-modal","type":"confirm"')
    refused = client.post(spec, [1], [doomed, True]).get_json()["sideUpdate"]
    assert "part of Actiscope" in json.dumps(refused["corpus-modal-error"])
    client.post(spec, [1], [doomed, False])
    assert container.corpora.list(CorpusQuery()) == ()
    with_deleted = json.dumps(response(client, "corpora-items.children", {"deleted": True}, None))
    assert "Restore" in with_deleted


def test_a_corpus_that_cannot_be_read_is_listed_and_removed(
    client: Client, container: Container, corpus: CorpusInfo, settings: Settings
) -> None:
    folder = settings.home / "corpora" / corpus.corpus_id
    (folder / "corpus.json").write_text("{}")
    assert "Unusable" in json.dumps(response(client, "corpora-items.children", {}, None))
    doomed = {"id": corpus.corpus_id, "n": 1}
    asked = response(client, "corpus-question.children", doomed)["response"]
    assert asked["corpus-with-files"]["checked"] is True
    spec = spec_of(client, '"name":"corpus-modal","type":"confirm"')
    client.post(spec, [1], [doomed, True])
    assert not folder.exists()
    assert corpus.corpus_id not in [one.corpus_id for one in container.corpora.list(CorpusQuery())]


def test_a_source_is_looked_at_and_added(client: Client, container: Container, ships: Path) -> None:
    view = {"source": "path", "path": str(ships), "n": 1}
    found = json.dumps(response(client, "add-corpus-found.children", view))
    for said in ("JSON Lines", "ship 0 lies", '"value": "text"', '"value": ["town"]'):
        assert said in found
    names = ("name", "text_column", "metadata", "on_error")
    ids = [{"type": "corpus-option", "name": name} for name in names]
    values = ["", "text", [], "skip"]
    spec = spec_of(client, "add-corpus-add")
    body = {
        "output": spec["output"],
        "outputs": client._outputs(spec["output"]),
        "inputs": [{"id": "add-corpus-add", "property": "n_clicks", "value": 1}],
        "state": [
            {"id": "add-corpus-view", "property": "data", "value": view},
            [{"id": i, "property": "value", "value": v} for i, v in zip(ids, values, strict=True)],
            [{"id": i, "property": "id", "value": i} for i in ids],
            {"id": "add-corpus-add-error", "property": "children", "value": None},
        ],
        "changedPropIds": ["add-corpus-add.n_clicks"],
    }
    answer = client.http.post(
        "/_dash-update-component",
        query_string={"endId": client.end_id},
        json=body,
        base_url="http://localhost",
    ).get_json()
    job = container.jobs.wait(answer["response"]["job-id"]["data"], 60)
    assert job.result is not None, job
    made = container.corpora.preview(job.result["corpus_id"], PreviewQuery())
    assert [one.text for one in made.documents[:2]] == [row["text"] for row in GOOD[:2]]
    assert made.documents[0].metadata == {}


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"source": "path", "n": 1}, "no folder is named"),
        ({"source": "path", "path": "/etc/passwd"}, "ACTISCOPE_LOCAL_ROOTS"),
        ({"source": "dataset", "repo": "no spaces here", "n": 1}, "is no repository"),
        ({"source": "upload", "upload": "0" * 32}, "send the file again"),
    ],
)
def test_a_source_that_is_none_is_refused(client: Client, view: Any, said: str) -> None:
    side = response(client, "add-corpus-found.children", view)["sideUpdate"]
    assert said in json.dumps(side["add-corpus-error"])
    assert side["add-corpus-found"] == {"children": None}


@pytest.mark.parametrize("view", [{}, {"source": "dataset"}, {"source": "upload"}])
def test_an_address_that_names_nothing_is_not_looked_at(client: Client, view: Any) -> None:
    answer = client.post(client.spec("add-corpus-found.children"), [view])
    assert "sideUpdate" not in (answer.get_json() or {})
