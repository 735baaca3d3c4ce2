"""What is in memory: loaded once, told at once."""

from __future__ import annotations

import os
import threading

import pytest
import torch

from services.errors import InvalidArgument, NotFound, ResourceExhausted, Unsupported
from services.lm.catalogue import ModelCatalogue
from services.lm.device import (
    choose_device,
    choose_dtype,
    memory_guard,
    reading_threads,
    writing_threads,
)
from services.lm.loader import LOAD_LOCK
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
