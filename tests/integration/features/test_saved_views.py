"""Saved views of the table of features, on both databases and over REST."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.container import Container
from services.errors import Conflict, InvalidArgument, NotFound
from services.features import views as views_module
from services.features.views import SaveView
from services.settings import Settings
from services.web import install, make_server

SAE, OTHER = "demo-l1-res", "demo-l2-res"
STATE = {"text": "猫 🐈", "range": "n:10..,max:..5", "starred": True, "min_fires": 0.25}


def asked(name: str = "mine", **more: Any) -> SaveView:
    return SaveView.parse({"sae_id": SAE, "name": name, "state": STATE, **more})


def test_a_view_reads_back_as_it_was_saved(container: Container) -> None:
    saved = container.views.save(asked("  B ", author="Ada"))
    assert (saved.name, saved.author, saved.state) == ("B", "Ada", STATE)
    assert container.views.get(SAE, saved.view_id) == saved
    by_default = container.views.save(asked("A"))
    assert by_default.author == container.settings.author
    assert container.views.list(SAE) == (by_default, saved), "by name"
    assert container.views.list(OTHER) == ()
    container.views.remove(SAE, saved.view_id)
    assert container.views.list(SAE) == (by_default,)


def test_a_name_is_taken_over_only_when_that_is_asked_for(container: Container) -> None:
    first = container.views.save(asked())
    with pytest.raises(Conflict, match="choose another name"):
        container.views.save(asked())
    again = container.views.save(asked(state={"sort": "max"}, replace=True))
    assert again.view_id == first.view_id, "links to it stay"
    assert container.views.list(SAE) == (again,)
    container.views.save(SaveView.parse({"sae_id": OTHER, "name": "mine", "state": {}}))


def test_of_two_that_save_one_name_at_once_one_is_refused(container: Container) -> None:
    container.views.list(SAE)  # the table of SAEs is up to date before they race

    def save(_n: int) -> bool:
        try:
            container.views.save(asked())
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(save, range(4))) == 1


def test_what_is_not_there_is_said(container: Container, monkeypatch: Any) -> None:
    for act in (
        lambda: container.views.list("nobody"),
        lambda: container.views.get(SAE, "nothing"),
        lambda: container.views.remove(SAE, "nothing"),
        lambda: container.views.remove(SAE, "\0"),
        lambda: container.views.get(OTHER, container.views.save(asked()).view_id),
    ):
        with pytest.raises(NotFound):
            act()
    monkeypatch.setattr(views_module, "MOST", 1)
    for replace in (False, True):
        with pytest.raises(InvalidArgument, match="remove some"):
            container.views.save(asked("one more", replace=replace))
    assert container.views.save(asked(replace=True)).name == "mine"


@pytest.mark.parametrize(
    "wrong",
    [{"name": " "}, {"name": "x" * 101}, {"state": {"a": [1]}}, {"state": {"a": "x" * 40_000}},
     {"state": {str(i): 1 for i in range(41)}}, {"state": {"a": float("nan")}}, {"more": 1}],
    ids=["blank", "long", "nested", "large", "many", "nan", "unknown"],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        asked(**({"name": "mine"} | wrong))


def test_text_that_no_database_takes_is_made_storable(container: Container) -> None:
    saved = container.views.save(asked("a\x00b\ud800", state={"text": "\x00"}))
    assert container.views.get(SAE, saved.view_id) == saved
    assert "\x00" not in saved.name + str(saved.state["text"])


def test_views_over_rest(tmp_path: Any) -> None:
    settings = Settings(home=tmp_path, preload=False, device="cpu", _env_file=None)
    container = Container(settings)
    server = make_server(settings)
    install(server, container, list)
    client = server.test_client()
    address = f"/api/v1/saes/{SAE}/views"
    made = client.post(address, json={"name": "mine", "state": STATE, "author": "Ada"})
    assert made.status_code == 201, made.json
    assert client.get(address).json == {"items": [made.json]}
    assert client.get(f"{address}/{made.json['view_id']}").json["state"] == STATE
    again = client.post(address, json={"name": "mine", "state": {}})
    assert (again.status_code, again.json["error_code"]) == (409, "CONFLICT")
    assert client.post(address, json={"state": {}}).status_code == 400
    assert client.delete(f"{address}/{made.json['view_id']}").status_code == 204
    assert client.delete(f"{address}/{made.json['view_id']}").status_code == 404
    assert client.get("/api/v1/saes/nobody/views").status_code == 404
    container.close()
