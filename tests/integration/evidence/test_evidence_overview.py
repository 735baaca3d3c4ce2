"""`actiscope overview` and `decoder`, and REST below a feature's address."""

from __future__ import annotations

import json
import re
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from markdown_it import MarkdownIt
from pydantic import BaseModel

from services.cli.main import main
from services.evidence.markdown import code, marked, plain, table
from services.evidence.requests import ExamplesQuery, OverviewQuery, ViewQuery
from services.labels.requests import AddLabel
from services.web import evidence_schemas as schemas
from services.web import install, make_server
from tests import planted
from tests.integration.evidence.conftest import HARD, SPREAD

EVIL = (
    "a|b `c` ``d`` *e* <script>f</script> [g](http://h) ![i](j)\n# k\r\n| l |\x1b[31m &amp; "
    "www.m.n $o$"
)
API = f"/api/v1/saes/{planted.SAE}/features"


@pytest.fixture(scope="module")
def client(read):
    server = make_server(read.settings)
    install(server, read, list)
    with server.test_client() as made:
        yield made


def rendered(markdown: str) -> str:
    """As HTML, by an independent implementation of CommonMark and GitHub's tables."""
    renderer = MarkdownIt("commonmark", {"html": True})
    return renderer.enable("table").render(markdown)


def overview(read, feature, sae_id=planted.SAE, **more) -> Any:
    query = OverviewQuery(sae_id=sae_id, feature_id=feature, **more)
    return read.evidence.overview(query)


def sections(page: str) -> list[str]:
    return re.findall(r"^## (.*)$", page, re.MULTILINE)


def test_an_overview_has_all_that_is_known(read):
    page = overview(read, planted.ON_J_OR_K)
    assert sections(page) == [
        "Statistics", "Regions", "Tokens", "Ranges of activation", "Strongest activations",
        "Logit weights", "Nearest decoder directions", "Correlated features", "Provenance",
    ]  # fmt: skip
    known = read.evidence.view(ViewQuery(sae_id=planted.SAE, feature_id=planted.ON_J_OR_K)).known
    assert f"| activations | {known.n:,} |" in page
    assert "| `J` |" in page and "⟦J⟧" in page
    assert "    actiscope overview planted-l0 5" in page


def test_an_overview_as_json_says_the_same(read):
    found = overview(read, planted.ON_X, format="json", examples=3, top=4)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(found["examples"]) == 3 and len(found["neighbours"]) == 4
    assert len(found["decoder"]["top"]) == len(found["decoder"]["bottom"]) == 4
    assert found["family"]["features"] == [planted.ON_X, planted.ALSO_ON_X]
    assert found["tokens"]["at"][0]["text"] == "X"
    assert found["command"] == "actiscope overview planted-l0 2 --format json --top 4 --examples 3"
    page = overview(read, planted.ON_X)
    assert "One of 2 features that write nearly the same" in page


def test_an_overview_of_a_dead_feature_and_without_a_store(read):
    page = overview(read, planted.DEAD)
    assert "never fires" in page and "Strongest" not in page
    page = overview(read, 3, sae_id="demo-l1-res")
    assert sections(page) == ["Statistics", "Provenance"] and "No corpus was read" in page


def test_hostile_labels_stay_text(read):
    label = {"text": EVIL, "author": "a|`b", "notes": f"{EVIL}\n# h", "confidence": 0.5}
    read.labels.add(AddLabel(sae_id=planted.SAE, feature_id=planted.ON_W, **label))
    page = overview(read, planted.ON_W)
    assert ", confidence 0.5" in page and "\n> \\# h\n" in page
    assert page.startswith("# Feature 10: ") and "\x1b" not in page and "\r" not in page
    html = rendered(page)
    assert html.count("<h1>") == 1 and html.count("<h2>") == len(sections(page))
    assert "<script>" not in html and "<a " not in html and "<img" not in html
    title = re.search("<h1>(.*)</h1>", html)[1]
    assert "a|b `c` ``d`` *e* &lt;script&gt;f&lt;/script&gt; [g](http://h)" in title
    assert "&amp;amp;" in title
    neighbours = rendered(overview(read, planted.ONLY_Q))
    assert "<script>" not in neighbours


@pytest.mark.parametrize(
    "text",
    [EVIL, "`", "``", " a ", "", "|", "a\\", "\\|", "\\`", "é猫😀", "  ", "`a", "a```", "<b>"],
)
def test_any_text_is_one_cell(text):
    lines = "\n".join(table(("x", "y"), [(code(text), plain(text)), ("1", "2")]))
    html = rendered(f"{lines}\nend\n")
    rows = re.findall("<tr>(.*?)</tr>", html, re.DOTALL)
    assert len(rows) == 3 and [row.count("<td>") for row in rows] == [0, 2, 2]
    assert len(re.findall("<code>", html)) == 1 and "<script" not in html and "<a " not in html


def test_the_mark_is_around_the_token_or_the_character_it_is_a_part_of(read):
    for feature in range(0, 64, 5):
        page = read.evidence.examples(
            ExamplesQuery(sae_id=SPREAD, feature_id=feature, limit=50, width=512)
        )
        for item in page.items:
            shown = marked(item)
            inside = re.search("⟦(.*)⟧", shown, re.DOTALL)[1]
            assert inside and shown.replace("⟦", "").replace("⟧", "").endswith(
                HARD[item.example.context.document]
            )


# The command line


@pytest.fixture
def call(read, monkeypatch, capsys):
    monkeypatch.setenv("ACTISCOPE_HOME", str(read.settings.home))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


def test_the_command_prints_the_page(call, read):
    code_, out, err = call("overview", planted.SAE, "5", "--top", "3")
    assert (code_, err) == (0, "")
    assert out == overview(read, 5, top=3)
    _, out, _ = call("overview", planted.SAE, "5", "--json", "--all")
    assert json.loads(out) == overview(read, 5, format="json", all=True)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("overview", planted.SAE, "12"), "0 to 11"),
        (("overview", "none", "1"), "no SAE"),
        (("overview", planted.SAE, "1", "--top", "99"), "top"),
        (("overview", planted.SAE, "1", "--top", "0"), "top"),
        (("decoder", "similar", planted.SAE, "-1"), ""),
        (("decoder", "weight-percentile", "demo-l1-res", "1"), "not been looked at"),
    ],
)
def test_what_cannot_be_is_said(call, arguments, message):
    code_, out, err = call(*arguments)
    assert code_ in (1, 2) and not out and message in err


def test_decoder_commands(call, read):
    _, out, _ = call("decoder", "output-influence", planted.SAE, "5", "--top-k", "3", "--json")
    found = json.loads(out)
    assert len(found["top"]) == len(found["bottom"]) == 3 and found["top"][0]["token_str"] == "J"
    _, out, _ = call("decoder", "output-influence", planted.SAE, "5")
    assert re.search(r"^J +\+1\.\d+", out, re.MULTILINE)
    _, out, _ = call("decoder", "weight-percentile", planted.SAE, str(planted.ON_Y), "--json")
    found = json.loads(out)
    assert (found["rank"], found["percentile"], found["d_sae"]) == (1, 100.0, planted.D_SAE)
    assert found["decoder_norm"] == pytest.approx(2.1)
    _, out, _ = call("decoder", "similar", planted.SAE, str(planted.ON_X), "--json")
    first = json.loads(out)["items"][0]
    assert (first["feature_id"], first["value"]) == (planted.ALSO_ON_X, pytest.approx(1))
    _, out, _ = call("decoder", "similar", planted.SAE, str(planted.ON_X))
    head = ["FEATURE", "COSINE", "BOTH", "FIRE", "LABEL", "TOP", "TOKENS"]
    assert out.splitlines()[0].split() == head


# REST


def fits(value: Any, body: type[BaseModel]) -> None:
    """The answer has exactly the fields that are described, at every depth."""
    body.model_validate(value, strict=False)
    assert set(value) == set(body.model_fields)
    for name, field in body.model_fields.items():
        for kind in _bodies(field.annotation):
            inner = value[name]
            for one in inner if isinstance(inner, list) else [inner]:
                if one is not None:
                    fits(one, kind)


def _bodies(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) in (list, UnionType):
        return [kind for part in get_args(annotation) for kind in _bodies(part)]
    is_body = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return [annotation] if is_body else []


@pytest.mark.parametrize(
    "path, body",
    [
        ("", schemas.FeatureViewBody),
        ("/examples?limit=3&order=random&meta.year=1990", schemas.ExamplesBody),
        ("/intervals?n_intervals=2", schemas.IntervalsBody),
        ("/logits", schemas.LogitsBody),
        ("/neighbours?limit=2", schemas.RelatedBody),
        ("/coactivations?by=correlation", schemas.RelatedBody),
        ("/tokens", schemas.FeatureTokensBody),
        ("/breakdown?column=group", schemas.FeatureBreakdownBody),
    ],
)
@pytest.mark.parametrize("feature", [planted.ON_J_OR_K, planted.DEAD], ids=["live", "dead"])
def test_each_answer_is_as_described(client, path, body, feature):
    answer = client.get(f"{API}/{feature}{path}")
    assert answer.status_code == 200, answer.text
    fits(answer.json, body)


def test_examples_are_paged_over_rest(client, read):
    seen, cursor = [], ""
    while cursor is not None:
        parameters = {"limit": 10, "cursor": cursor, "width": 0}
        answer = client.get(f"{API}/{planted.ALWAYS}/examples", query_string=parameters).json
        seen += [item["example"]["context"]["position"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if len(seen) >= 100:
            break
    query = ExamplesQuery(sae_id=planted.SAE, feature_id=planted.ALWAYS, limit=100, width=0)
    expected = [e.example.context.position for e in read.evidence.examples(query).items]
    assert seen == expected


def test_an_overview_over_rest(client, read):
    answer = client.get(f"{API}/5/overview?top=3")
    assert answer.mimetype == "text/markdown" and answer.text == overview(read, 5, top=3)
    answer = client.get(f"{API}/5/overview?format=json")
    assert answer.json == overview(read, 5, format="json")


@pytest.mark.parametrize(
    "path, status, part",
    [
        ("/12", 404, "0 to 11"),
        ("/5?store_id=none", 404, "store"),
        ("/5?colour=red", 400, "colour"),
        ("/5/examples?limit=201", 400, "limit"),
        ("/5/examples?low=2&high=1", 400, "above"),
        ("/5/examples?low=nan", 400, "low"),
        ("/5/examples?order=weakest&cursor=strongest:1:1", 400, "cursor"),
        ("/5/examples?where=[", 400, "JSON"),
        ("/5/examples?meta.colour=red", 400, "colour"),
        ("/5/intervals?n_intervals=0", 400, "n_intervals"),
        ("/5/coactivations?by=cosine", 400, "by"),
        ("/5/breakdown", 400, "column"),
        ("/5/breakdown?column=colour", 400, "group, year"),
        ("/5/tokens?width=13", 400, "width"),
    ],
)
def test_refusals_name_what_is_wrong(client, path, status, part):
    answer = client.get(f"{API}{path}")
    assert answer.status_code == status, answer.text
    assert answer.json["status"] == "error"
    assert part in json.dumps(answer.json, ensure_ascii=False)
