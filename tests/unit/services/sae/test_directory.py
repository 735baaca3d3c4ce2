"""sae-lens' list of pretrained SAEs, against what sae-lens itself makes of it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from sae_lens.loading.pretrained_sae_loaders import (
    get_gemma_2_config_from_hf,
    get_qwen_scope_config_from_hf,
)
from sae_lens.loading.pretrained_saes_directory import (
    get_pretrained_saes_directory,
    get_repo_id_and_folder_name,
)

from services.errors import NotFound, Unavailable
from services.sae.directory import Directory
from services.sae.directory.names import thousands
from services.sae.directory.parsing import parse
from services.sae.directory.reading import list_file, read_list
from services.types import CatalogueEntry
from tests.servers import PROJECT


@pytest.fixture(scope="module")
def directory() -> Directory:
    return Directory()


def every(directory: Directory) -> list[CatalogueEntry]:
    return [directory.get(s.entry.release, s.entry.sae_id) for s in read_list(list_file())]


def found(directory: Directory, text: str, limit: int = 10_000) -> tuple[CatalogueEntry, ...]:
    return directory.search(text, limit=limit).items


# --- reading ------------------------------------------------------------------------------------


def test_it_holds_what_sae_lens_holds(directory: Directory) -> None:
    theirs = get_pretrained_saes_directory()
    ours: dict[str, list[CatalogueEntry]] = {}
    for entry in every(directory):
        ours.setdefault(entry.release, []).append(entry)
    assert list(ours) == list(theirs)
    for name, release in theirs.items():
        entries = {entry.sae_id: entry for entry in ours[name]}
        assert list(entries) == list(release.saes_map)
        for id, entry in entries.items():
            assert (entry.repo_id, entry.model) == (release.repo_id, release.model)
            assert entry.loader == (release.conversion_func or "sae_lens")
            assert entry.neuronpedia_id == release.neuronpedia_id[id]
            given = release.expected_l0[id]
            assert entry.l0 == (given or entry.l0)  # 0 is theirs for unknown
            explained = release.expected_var_explained[id]
            assert entry.explained_variance == (None if explained == 1.0 else explained)
            said = directory.overrides(name, id)
            assert said.get("norm_scaling_factor") == release.norm_scaling_factor.get(id)
            assert said.get("config_overrides", {}) == (release.config_overrides or {})
    assert directory.search("").total == sum(len(r.saes_map) for r in theirs.values())


def test_paths_are_those_of_the_repository(directory: Directory) -> None:
    for entry in every(directory):
        _, path = get_repo_id_and_folder_name(entry.release, entry.sae_id)
        if entry.loader == "mntss_clt_layer_transcoder":
            path = f"W_enc_{path}.safetensors"  # what sae-lens' loader downloads for it
        assert entry.path == path


def test_hook_layer_and_width_are_those_that_sae_lens_would_load(directory: Directory) -> None:
    getters: dict[str, Any] = {
        "gemma_2": get_gemma_2_config_from_hf,
        "qwen_scope": get_qwen_scope_config_from_hf,
    }
    checked = 0
    for entry in every(directory):
        if entry.loader in getters:
            cfg = getters[entry.loader](entry.repo_id, entry.path, "cpu")
            hook = re.fullmatch(r"(?:blocks\.(\d+)\.)?(?:attn\.)?hook_(\w+)", cfg["hook_name"])
            assert hook is not None
            assert entry.hook == hook[2]
            assert entry.layer == (int(hook[1]) if hook[1] else None)
            assert entry.width == cfg["d_sae"]
            checked += 1
    assert checked > 3000


def test_hook_names_in_ids_are_what_is_shown(directory: Directory) -> None:
    checked = 0
    for entry in every(directory):
        if match := re.match(r"blocks\.(\d+)\.hook_([a-z]+(?:_[a-z]+)?)", entry.sae_id):
            assert (entry.layer, entry.hook) == (int(match[1]), match[2])
            checked += 1
    assert checked > 800


def test_few_figures_are_unknown(directory: Directory) -> None:
    entries = every(directory)
    assert all(e.hook for e in entries)
    assert {e.release for e in entries if e.layer is None} <= {
        "gemma-scope-2b-pt-res", "gemma-scope-9b-pt-res"  # embeddings have no layer
    }  # fmt: skip
    assert sum(e.width is None for e in entries) < 0.03 * len(entries)
    assert all(e.width is None or 256 <= e.width <= 2**21 for e in entries)
    assert all(e.l0 is None or e.l0 > 0 for e in entries)


@pytest.mark.parametrize(
    ("release", "id", "hook", "layer", "width", "l0"),
    [
        ("gemma-scope-2b-pt-res-canonical", "layer_12/width_16k/canonical",
         "resid_post", 12, 16384, 82),
        ("gemma-scope-2b-pt-res", "embedding/width_4k/average_l0_6", "embed", None, 4096, 6),
        ("llama_scope_lxr_8x", "l16r_8x", "resid_post", 16, 32768, 50),
        ("llama_scope_lxa_32x", "l0a_32x", "attn_out", 0, 131072, 50),
        ("llama_scope_lxm_8x", "l31m_8x", "mlp_out", 31, 32768, 50),
        ("gpt2-small-res-jb", "blocks.8.hook_resid_pre", "resid_pre", 8, None, 60),
        ("gpt2-small-res-jb-feature-splitting", "blocks.8.hook_resid_pre_768",
         "resid_pre", 8, 768, 36),
        ("gpt2-small-hook-z-kk", "blocks.0.hook_z", "z", 0, 24576, 3),
        ("gemma-scope-2-4b-pt-transcoders-all", "layer_0_width_262k_l0_small_affine",
         "transcoder", 0, 262144, 10),
        ("gemma-scope-2b-pt-transcoders", "layer_13/width_16k/average_l0_8",
         "transcoder", 13, 16384, 8),
        ("mwhanna-qwen3-4b-transcoders", "layer_18", "transcoder", 18, None, None),
        ("sae_bench_gemma-2-2b_topk_width-2pow14_date-1109",
         "blocks.5.hook_resid_post__trainer_5_step_46322", "resid_post", 5, 16384, None),
        ("qwen-scope-3.5-27b-w80k-l50", "layer63", "resid_post", 63, 81920, 50),
        ("gpt2-small-mlp-out-v5-128k", "blocks.3.hook_mlp_out", "mlp_out", 3, 131072, None),
        ("goodfire-llama-3.1-8b-instruct", "layer_19", "resid_post", 19, None, 91),
    ],
)  # fmt: skip
def test_names_are_read(
    directory: Directory, release: str, id: str, hook: str, layer: int, width: int, l0: float
) -> None:
    entry = directory.get(release, id)
    assert (entry.hook, entry.layer, entry.width, entry.l0) == (hook, layer, width, l0)


def test_what_cannot_be_added_says_why(directory: Directory) -> None:
    problems = {entry.loader: entry.problem for entry in every(directory)}
    pickles = {"connor_rob_hook_z", "deepseek_r1", "dictionary_learning_1", "goodfire",
               "qwen_scope"}  # fmt: skip
    assert {loader for loader, problem in problems.items() if problem} == pickles | {"temporal"}
    assert all("pickle" in (problems[loader] or "") for loader in pickles)


def test_the_overrides_of_an_entry(directory: Directory) -> None:
    llama = directory.overrides("llama_scope_lxr_8x", "l0r_8x")
    assert llama == {
        "model": "meta-llama/Llama-3.1-8B",
        "neuronpedia_id": "llama3.1-8b/0-llamascope-res-32k",
        "norm_scaling_factor": 58.935251798561154,
        "l0": 50.0,
    }
    gpt2 = directory.overrides("gpt2-small-res-jb", "blocks.8.hook_resid_pre")
    centered = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    assert gpt2["config_overrides"] == centered
    assert gpt2["explained_variance"] == 0.9


def test_unknown_names_get_the_nearest(directory: Directory) -> None:
    with pytest.raises(NotFound, match="gemma-scope-2b-pt-res-canonical"):
        directory.get("gemma-scope-2b-pt-res-cannonical", "x")
    with pytest.raises(NotFound, match=r"layer_12/width_16k/canonical"):
        directory.get("gemma-scope-2b-pt-res-canonical", "layer_12/width_16/canonical")


# --- the file -----------------------------------------------------------------------------------


def test_the_quick_reading_is_that_of_yaml() -> None:
    text = list_file().read_text(encoding="utf-8")
    slow = yaml.safe_load(text) if not hasattr(yaml, "CSafeLoader") else yaml.load(
        text, Loader=yaml.CSafeLoader
    )  # fmt: skip
    assert as_read(parse(text)) == as_read(slow)


PLAIN = """\
one:
  conversion_func: gemma_2
  saes:
  - id: a/b
    path: {value}
    l0: 5
  repo_id: x/y
  model: m
two:
  model: n
  saes:
    - path: p
      id: q
"""


@pytest.mark.parametrize(
    "value",
    ["plain", "7", "007", "1_000", "0x1F", "1e3", "1.0e+3", "12:30:45", "yes", "null", "~", "'a b'",
     '"q"', "a b", "a: b", "a #c", "2024-01-01", "[1, 2]", "{a: 1}", "true", "v1:v2", "x:", "-5",
     "8.0", ".5", "&a b", "!!str 5", ""],
)  # fmt: skip
def test_odd_values_are_read_as_yaml_reads_them(value: str) -> None:
    text = PLAIN.format(value=value)
    try:
        expected = yaml.safe_load(text)
    except yaml.YAMLError:
        with pytest.raises(yaml.YAMLError):
            parse(text)
    else:
        assert as_read(parse(text)) == as_read(expected)


def as_read(data: Any) -> Any:
    """With paths and ids as text and figures as numbers, as every reader takes them."""
    for about in data.values():
        for sae in about["saes"]:
            sae.update(
                {k: float(v) if k in ("l0", "norm_scaling_factor", "variance_explained") else v
                 for k, v in sae.items()}
            )  # fmt: skip
            sae.update({k: str(v) for k, v in sae.items() if k in ("id", "path")})
    return data


def test_another_list_of_a_later_sae_lens(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(
        "# a comment\n"
        "new-release:\n  model: some/new-model\n  repo_id: a/b\n  conversion_func: brand_new\n"
        "  license: mit\n  saes:\n  - id: layer_3\n    path: layer_3\n    quality: good\n"
        "odd: 5\n"
        "odder:\n  saes:\n  - 7\n  - path: no-id\n  - id: 4\n    path: 5\n"
        "numbers:\n  saes:\n  - id: x\n    path: x\n    l0: unknown\n    variance_explained: null\n"
    )
    later = Directory(file)
    entry = later.get("new-release", "layer_3")
    assert (entry.layer, entry.model) == (3, "some/new-model")
    assert "'brand_new'" in (entry.problem or "")
    assert later.get("odder", "4").path == "5"
    assert later.get("numbers", "x").l0 is None
    assert later.search("new-model").total == 1


@pytest.mark.parametrize("content", ["a: [", "\x00", "- 1\n- 2\n", "", "a: &x [*x]\n"])
def test_a_damaged_list(tmp_path: Path, content: str) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(content)
    try:
        assert read_list(file) == ()
    except Unavailable as error:
        assert "cannot be read" in error.message


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        Directory(tmp_path / "none.yaml").search("x")


# --- search -------------------------------------------------------------------------------------


def test_the_first_answer_is_the_one_meant(directory: Directory) -> None:
    first = found(directory, "gemma-2-2b layer 12 16k")[0]
    assert (first.release, first.sae_id) == (
        "gemma-scope-2b-pt-res-canonical", "layer_12/width_16k/canonical",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["gemma-2-2b layer 12 16k", "16k layer 12 gemma-2-2b", "layer 12 16k gemma-2-2b",
     "GEMMA-2-2B LAYER 12 16K", "gemma-2-2b l12 16k", "gemma-2-2b layer12 width 16k",
     "gemma-2-2b layer_12 width_16k", "google/gemma-2-2b layer 12 16k", "gemma-2-2b, l12, 16384",
     "  gemma-2-2b\tlayer  12 16k "],
)  # fmt: skip
def test_ways_to_ask_for_the_same(directory: Directory, text: str) -> None:
    meant = {(e.release, e.sae_id) for e in every(directory)
             if e.model == "gemma-2-2b" and e.layer == 12 and e.width == 16384}  # fmt: skip
    assert {(e.release, e.sae_id) for e in found(directory, text)} == meant


def test_every_word_must_match(directory: Directory) -> None:
    for entry in found(directory, "gemma-2-2b l5 mlp 65k"):
        assert (entry.model, entry.layer, entry.hook, entry.width) == (
            "gemma-2-2b", 5, "mlp_out", 65536,
        )  # fmt: skip
    assert {e.hook for e in found(directory, "resid gpt2")} == {
        "resid_pre", "resid_mid", "resid_post",
    }  # fmt: skip
    assert {e.hook for e in found(directory, "attn")} == {"attn_out", "z"}
    assert {e.hook for e in found(directory, "transcoder")} == {"transcoder"}
    assert {e.hook for e in found(directory, "resid_mid")} == {"resid_mid"}
    assert {e.release for e in found(directory, "llama_scope_lxr_8x")} == {"llama_scope_lxr_8x"}


def test_l0_may_be_asked_for(directory: Directory) -> None:
    near = found(directory, "gemma-2-2b layer 12 resid l0 80")
    assert near and all(72 <= (e.l0 or 0) <= 88 for e in near)
    assert all((e.l0 or 99) <= 30 for e in found(directory, "l0<30 gemma-2-9b"))
    assert all((e.l0 or 0) >= 500 for e in found(directory, "l0 >500 gemma-2-9b"))
    assert found(directory, "gemma-2-2b l0 16k")[0].layer == 0  # without a number, a layer


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("openai-community/gpt2", "gpt2-small"),
        ("gpt2", "gpt2-small"),
        ("mistralai/Mistral-7B-v0.1", "mistral-7b"),
        ("EleutherAI/pythia-70m-deduped", "pythia-70m-deduped"),
        ("Qwen/Qwen3-8B", "qwen3-8b"),
        ("Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("google/gemma-2-9b-it", "gemma-2-9b-it"),
        ("gemma-3-4b-it", "google/gemma-3-4b-it"),
    ],
)
def test_models_go_by_several_names(directory: Directory, text: str, model: str) -> None:
    assert found(directory, text)[0].model == model


def test_usable_and_canonical_ones_come_first(directory: Directory) -> None:
    entries = found(directory, "gemma-2-2b")
    usable = [entry.problem is None for entry in entries]
    assert usable == sorted(usable, reverse=True)
    assert "canonical" in entries[0].release
    assert found(directory, "llama-3.1-8b")[0].model == "meta-llama/Llama-3.1-8B"


def test_pages_are_slices_of_one_order(directory: Directory) -> None:
    everything = found(directory, "gemma", 20_000)
    page = directory.search("gemma", limit=30, offset=90)
    assert page.items == everything[90:120]
    assert page.total == len(everything)
    assert directory.search("gemma", limit=5, offset=10**9).items == ()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("gemmma-2-2b layer 12", "gemma-2-2b layer 12"), ("lamma_scope l16", "llama"),
     ("gpt2-smal resid_prr", "gpt2-smal"), ("transcodr gemma-2-2b", "transcoder")],
)  # fmt: skip
def test_a_slip_of_the_pen_gets_a_suggestion(directory: Directory, typed: str, meant: str) -> None:
    page = directory.search(typed)
    assert page.total == 0
    assert page.suggestion is not None
    assert meant in page.suggestion
    assert directory.search(page.suggestion).total > 0


def test_no_suggestion_where_there_is_none(directory: Directory) -> None:
    assert directory.search("gemma-2-2b layer 12").suggestion is None
    assert directory.search("xyzzy-qqqq").suggestion is None
    assert directory.search("gemma-2-2b layer 900").suggestion is None


@pytest.mark.parametrize(
    "text",
    ["\x00", "(((", "[a-", "\\", "%s{0}", "l" * 10_000, "layer", "l0", "l0 <", "k", "9" * 400, "²k",
     "٣٤٥٦", "\ud800", "layer ١٢", "a " * 5000, "l0:1e999", "-", "/", "//"],
)  # fmt: skip
def test_any_text_is_a_search(directory: Directory, text: str) -> None:
    started = time.thread_time()  # of this thread alone: others may keep the machine busy
    page = directory.search(text)
    assert 0 <= page.total <= 20_000
    assert time.thread_time() - started < 2


def test_a_keystroke_is_answered_at_once(directory: Directory) -> None:
    typed = "gemma-2-2b layer 12 16k resid canonical"
    directory.search("")
    for end in range(1, len(typed) + 1):
        times = []
        for _ in range(3):
            started = time.thread_time()  # of this thread alone: others may keep the machine busy
            directory.search(typed[:end])
            times.append(time.thread_time() - started)
        assert min(times) < 0.1, typed[:end]  # 5 ms


def test_several_threads_read_it_once() -> None:
    fresh = Directory()
    totals: list[int] = []
    threads = [
        threading.Thread(target=lambda: totals.append(fresh.search("gemma-2-2b").total))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(totals) == 6
    assert len(set(totals)) == 1


def test_sae_lens_is_not_imported_for_it() -> None:
    code = (
        "import sys; from services.sae.directory import Directory\n"
        "print(Directory().search('gemma-2-2b layer 12 16k').total > 0,"
        " sorted({'sae_lens', 'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True []"


def test_k_means_a_power_of_two() -> None:
    assert [thousands(n, "k") for n in ("4", "16", "32", "65", "64", "131", "128", "262")] == [
        4096, 16384, 32768, 65536, 65536, 131072, 131072, 262144,
    ]  # fmt: skip
    assert (thousands("1", "m"), thousands("80", "k")) == (2**20, 81920)
