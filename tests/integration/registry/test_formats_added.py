"""Every layout, added from its folder through the registry, and used by a run or refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from services.registry.requests import LookRequest
from services.runs.request import RunRequest
from services.types import RunStatus, TaskStatus, Verdict
from tests import tiny
from tests.integration.registry.conftest import TIMEOUT_S, Shop
from tests.sae_layouts import LAYOUTS

_TRIES_S = 60


# Their scale is in no file of theirs: only sae-lens' catalogue knows it.
_OF_THE_CATALOGUE = {"sae-lens before 6", "llama scope r1"}


@pytest.mark.parametrize("case", sorted(_OF_THE_CATALOGUE))
def test_a_layout_that_lacks_its_scale_is_refused(one_shop: Shop, case: str) -> None:
    task = one_shop.add_saes(LAYOUTS[case][1](one_shop.folder / "made").path)
    assert task.error_code == "UNSUPPORTED" and "scale" in str(task.error_message)
    assert one_shop.saes() == [] and one_shop.left_behind() == []


@pytest.mark.parametrize("case", [case for case in LAYOUTS if case not in _OF_THE_CATALOGUE])
def test_a_layout_is_found_added_and_listed(one_shop: Shop, case: str) -> None:
    kind, make = LAYOUTS[case]
    made = make(one_shop.folder / "made")
    found = one_shop.registry.look(LookRequest(source="local", path=str(made.path)))
    assert [c.format for c in found if c.problem is None] == [kind]
    one_shop.add_model(tiny.save_model(one_shop.folder, "tiny"))
    needs = next(c.needs for c in found if c.problem is None)
    given = {"model_id": "tiny", "hook_name": made.hook or "blocks.1.hook_resid_post"}
    task = one_shop.add_saes(made.path, **{name: given[name] for name in needs})
    assert task.status is TaskStatus.SUCCEEDED, task
    card = one_shop.registry.sae(task.results[0])
    assert card.format == kind and card.info.d_sae > 0 and card.info.revision
    assert one_shop.left_behind() == []


def test_the_demo_is_measured_once_while_nobody_waits(one_shop: Shop) -> None:
    container = one_shop.container
    container.preload()
    begun = time.monotonic()
    started = container.runs.start(RunRequest(prompt="The cat", max_tokens=8, seed=1))
    assert container.runs.wait(started.request_id, TIMEOUT_S).status is RunStatus.OK
    while not (tasks := one_shop.registry.tasks()):
        assert time.monotonic() - begun < _TRIES_S
        time.sleep(0.05)
    (task,) = tasks
    one_shop.done(task)
    verdicts = {sae.sae_id: sae.verdict for sae in container.models[0].saes}
    assert verdicts == {"demo-l1-res": Verdict.GOOD, "demo-l2-res": Verdict.GOOD}
    one_shop.registry.measure_demo()
    assert len(one_shop.registry.tasks()) == 1
    view = container.runs.view(started.request_id)
    assert {sae["verdict"] for sae in view.provenance["saes"]} == {None}


def test_a_broken_sae_runs_where_it_is_named_and_says_so(one_shop: Shop, tmp_path: Path) -> None:
    one_shop.add_model(tiny.save_model(one_shop.folder, "tiny"))
    one_shop.add_saes(tiny.save_sae(one_shop.folder), preflight=True)
    assert one_shop.registry.sae("tiny-sae").info.verdict is Verdict.BROKEN
    runs = one_shop.container.runs
    body = {"prompt": "the cat", "model_id": "tiny", "max_tokens": 2, "temperature": 0}
    named = runs.start(RunRequest.parse(body | {"sae_ids": ["tiny-sae"]}))
    assert runs.wait(named.request_id, TIMEOUT_S).status is RunStatus.OK
    (sae,) = runs.view(named.request_id).provenance["saes"]
    assert sae["verdict"] == "broken"
    unnamed = runs.start(RunRequest.parse(body))
    assert runs.wait(unnamed.request_id, TIMEOUT_S).sae_ids == ()
