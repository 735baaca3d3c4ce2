"""What is in memory: loaded once, told at once."""

from __future__ import annotations

import os
import shutil
import threading
import weakref

import pytest
import torch

from services.errors import Conflict, InvalidArgument, NotFound, ResourceExhausted, Unsupported
from services.lm.catalogue import ModelCatalogue
from services.lm.device import (
    choose_device,
    choose_dtype,
    memory_guard,
    reading_threads,
    writing_threads,
)
from services.lm.loader import LOAD_LOCK, load_model, weight_bytes
from services.lm.memory import model_bytes, sae_bytes
from services.lm.resident import Residents
from services.sae.catalogue import SaeCatalogue
from tests import tiny


@pytest.fixture
def residents(tmp_path):
    tiny.save_model(tmp_path, "tiny")
    tiny.save_sae(tmp_path)
    return Residents(ModelCatalogue([tmp_path]), SaeCatalogue([tmp_path]), "cpu", threads=1)


def test_each_is_loaded_once_and_listed(residents):
    assert residents.loaded() == {"models": [], "saes": []}
    lm, sae = residents.model("tiny"), residents.sae("tiny-sae")
    assert residents.model("tiny") is lm and residents.sae("tiny-sae") is sae
    assert residents.loaded() == {"models": ["tiny"], "saes": ["tiny-sae"]}


def test_many_threads_get_the_same_model(residents):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(residents.model("tiny"))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5 and len({id(lm) for lm in found}) == 1


def test_what_is_loaded_is_told_while_a_load_is_under_way(residents):
    with LOAD_LOCK:  # a load in progress holds this
        worker = threading.Thread(target=residents.model, args=("tiny",))
        worker.start()
        while residents.describe()["loading"] is None:
            worker.join(0.01)
        assert residents.describe()["loading"] == "tiny"
        assert residents.loaded() == {"models": [], "saes": []}
    worker.join()
    description = residents.describe()
    assert description["loading"] is None and description["models"] == ["tiny"]
    assert (description["device"], description["dtype"]) == ("cpu", "float32")
    assert 0 < description["memory"]["free"] <= description["memory"]["total"]


def test_a_failed_load_leaves_nothing_and_is_tried_again(residents, tmp_path):
    path = tmp_path / "models/tiny/tokenizer.json"
    content = path.read_bytes()
    path.write_text("{}")
    with pytest.raises(Unsupported):
        residents.model("tiny")
    assert residents.describe()["loading"] is None and residents.loaded()["models"] == []
    path.write_bytes(content)
    assert residents.model("tiny").info.model_id == "tiny"
    with pytest.raises(NotFound):
        residents.sae("none")


def test_why_a_load_failed_is_told_until_one_succeeds(residents, tmp_path):
    path = tmp_path / "models/tiny/tokenizer.json"
    weights = tmp_path / "saes/tiny-sae" / tiny.WEIGHTS
    good = path.read_bytes(), weights.read_bytes()
    assert residents.failures() == {"models": {}, "saes": {}, "device": {}}
    path.write_text("{}")
    with pytest.raises(Unsupported) as failed:
        residents.model("tiny")
    assert residents.failures()["models"] == {"tiny": failed.value.message}
    path.write_bytes(good[0])
    residents.model("tiny")
    residents.sae("tiny-sae")
    assert residents.failures() == {"models": {}, "saes": {}, "device": {}}


def test_a_device_that_is_not_there_is_told_once_it_was_tried(tmp_path):
    tiny.save_model(tmp_path, "tiny")
    residents = Residents(ModelCatalogue([tmp_path]), SaeCatalogue([tmp_path]), "cuda:99")
    assert residents.failures()["device"] == {}
    with pytest.raises(Unsupported):
        residents.model("tiny")
    failures = residents.failures()
    assert "cuda:99" in failures["device"]["cuda:99"] and failures["models"] == {}
    residents.try_device()  # does not raise


@pytest.fixture
def three(tmp_path):
    """Models a, b, c of the same size, an SAE, and that size as measured."""
    for seed, name in enumerate("abc"):
        tiny.save_model(tmp_path, name, seed=seed)
    tiny.save_sae(tmp_path, tensors=tiny.sae_tensors(d_sae=1024))
    size = resident(tmp_path).model("a").model.num_parameters() * 4
    return tmp_path, size


def resident(root, budget=0):
    return Residents(ModelCatalogue([root]), SaeCatalogue([root]), "cpu", "auto", 1, budget)


def test_what_was_used_longest_ago_makes_room(three):
    root, size = three
    residents = resident(root, int(2.5 * size))
    a, b = weakref.ref(residents.model("a").model), weakref.ref(residents.model("b").model)
    residents.model("a")
    residents.model("c")
    assert residents.loaded()["models"] == ["a", "c"]
    assert b() is None and a() is not None  # really gone
    assert residents.describe()["used"] <= residents.budget() == int(2.5 * size)


def test_an_sae_makes_room_too_and_is_counted(three):
    root, size = three
    residents = resident(root)
    residents.model("a")
    sae = weakref.ref(residents.sae("tiny-sae").W_enc)
    needed = sae_bytes(residents.sae("tiny-sae").info)
    measured = residents.sizes()
    assert measured["saes"] == {"tiny-sae": needed}
    assert measured["models"]["a"] == pytest.approx(size, rel=0.01)
    assert residents.unload_sae("tiny-sae") and sae() is None
    assert not residents.unload_sae("tiny-sae")
    tight = resident(root, int(1.06 * size) + needed // 2)
    tight.model("a")
    tight.sae("tiny-sae")
    assert tight.loaded() == {"models": [], "saes": ["tiny-sae"]}


def test_what_never_fits_is_refused_with_figures_and_evicts_nothing(three):
    root, size = three
    residents = resident(root, size // 2)
    residents.sae("tiny-sae")
    with pytest.raises(
        ResourceExhausted, match=r"needs about 0\.\d MB.*ACTISCOPE_MEMORY"
    ) as caught:
        residents.model("a")
    assert caught.value.details["budget_bytes"] == size // 2
    assert caught.value.details["needed_bytes"] >= size
    assert residents.failures()["models"] == {"a": caught.value.message}
    assert residents.loaded()["saes"] == ["tiny-sae"]


def test_what_is_held_stays_and_is_said_to_be_in_the_way(three):
    root, size = three
    residents = resident(root, int(1.5 * size))
    with residents.hold("a", ["tiny-sae"]):
        residents.model("a")
        with pytest.raises(ResourceExhausted, match="what this run uses"):
            residents.model("b")
        with pytest.raises(Conflict, match="being used"):
            residents.unload_model("a")
        assert not residents.unload_sae("tiny-sae")  # held, not there
        with residents.hold("a"):
            pass
        with pytest.raises(Conflict):
            residents.unload_model("a")
    residents.model("b")
    assert residents.loaded()["models"] == ["b"]
    assert residents.unload_model("b") and not residents.unload_model("a")


def test_a_load_that_fails_after_making_room_leaves_the_books_right(three):
    root, size = three
    residents = resident(root, int(1.5 * size))
    residents.model("a")
    (root / "models/b/tokenizer.json").write_text("{}")
    with pytest.raises(Unsupported):
        residents.model("b")
    assert residents.describe()["used"] == 0 and residents.sizes()["models"] == {}


@pytest.mark.parametrize("kind", ["models", "saes"])
def test_what_changed_on_disk_is_read_again(three, kind):
    root, _ = three
    residents = resident(root)
    ask = {"models": lambda: residents.model("a"), "saes": lambda: residents.sae("tiny-sae")}[kind]
    first = ask()
    assert ask() is first
    path = (
        root
        / {"models": "models/a/model.safetensors", "saes": f"saes/tiny-sae/{tiny.WEIGHTS}"}[kind]
    )
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    other = root / "new"
    other.write_bytes(changed)
    with residents.hold("a", ["tiny-sae"]):
        other.replace(path)
        assert ask() is first  # a run ends with what it began with
    second = ask()
    assert second is not first and second.info.revision != first.info.revision
    shutil.rmtree(path.parent)
    with residents.hold("a", ["tiny-sae"]), pytest.raises(NotFound):
        ask()
    assert residents.loaded()[kind] == []


def test_the_books_are_open_to_other_threads_while_models_come_and_go(three):
    root, size = three
    residents = resident(root, int(1.5 * size))
    done, errors = threading.Event(), []

    def look():
        try:
            while not done.is_set():
                state, budget = residents.describe(), residents.budget()
                assert state["used"] <= budget and len(state["models"]) <= 1
                residents.loaded(), residents.failures()
                residents.unload_model("c")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for name in "abcabcab":
        residents.model(name)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors and residents.loaded()["models"] == ["b"]


def test_the_budget_is_four_fifths_of_the_machine_unless_set(residents):
    total = residents.describe()["memory"]["total"]
    assert residents.budget() == residents.describe()["budget"] == int(0.8 * total)


def test_estimates_are_near_what_is_measured(three, tmp_path):
    root, _ = three
    residents = resident(root)
    for dtype in (torch.float32, torch.bfloat16):
        entry = ModelCatalogue([root]).get("a")
        lm = load_model(entry, torch.device("cpu"), dtype)
        assert (
            weight_bytes(lm.model)
            <= model_bytes(entry.info, str(dtype))
            < 1.1 * weight_bytes(lm.model)
        )
    assert model_bytes(entry.info, "auto") == model_bytes(entry.info, "float32")
    sae = residents.sae("tiny-sae")
    kept = [t for t in (sae.W_enc, sae.b_enc, sae.b_dec, sae.threshold) if t is not None]
    held = sum(t.numel() * t.element_size() for t in kept)
    assert held <= sae_bytes(sae.info) < 1.1 * held


def test_devices_are_chosen_by_what_the_machine_has():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(InvalidArgument, match="give auto, cpu"):
        choose_device("abacus")
    with pytest.raises(Unsupported, match="no device"):
        choose_device("cuda:99")


def test_precision_follows_the_device_unless_set():
    assert choose_dtype("auto", torch.device("cpu")) is torch.float32
    assert choose_dtype("auto", torch.device("cuda")) is torch.bfloat16
    assert choose_dtype("float16", torch.device("cpu")) is torch.float16


def test_small_models_use_one_thread_unless_set():
    cores = len(os.sched_getaffinity(0))
    assert writing_threads(0, 2_000_000) == 1
    assert writing_threads(0, 8_000_000_000) == max(1, cores // 2)
    assert reading_threads(0) == cores
    assert writing_threads(3, 2_000_000) == reading_threads(3) == 3


def test_running_out_of_memory_is_an_error_of_its_own_and_others_pass():
    with pytest.raises(ResourceExhausted, match="to try this"), memory_guard("to try this"):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="size"), memory_guard("to try this"):
        torch.ones(2) + torch.ones(3)
