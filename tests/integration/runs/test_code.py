"""The script of a run gives the run's rows, with nothing of ours in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from services.errors import Unsupported
from services.runs.code import code
from services.runs.queries import RowQuery
from services.runs.request import RunRequest
from services.types import RunStatus
from tests.factories import run_view
from tests.made_models import make_sae


def scaled_topk(home: Path) -> str:
    """A top-k SAE whose inputs are scaled, with decoder norms other than 1, for the demo model."""
    folder = make_sae(
        home, "scaled", model_id="actiscope-demo", d_in=256, d_sae=512, layer=1, seed=3
    )
    config = json.loads((folder / "cfg.json").read_text())
    config |= {"normalize_activations": "expected_average_only_in", "norm_scaling_factor": 0.37}
    config |= {"rescale_acts_by_decoder_norm": True, "k": 12}
    (folder / "cfg.json").write_text(json.dumps(config))
    weights = load_file(folder / "sae_weights.safetensors")
    weights["W_dec"] *= torch.linspace(0.5, 2, 512)[:, None]
    save_file(weights, folder / "sae_weights.safetensors")
    return "scaled"


def before_the_gain(home: Path) -> str:
    """An SAE that reads what a norm makes before its gain, for the demo model."""
    folder = make_sae(home, "normed", model_id="actiscope-demo", d_in=256, d_sae=512, layer=2)
    config = json.loads((folder / "cfg.json").read_text())
    config["metadata"]["hook_name"] = "blocks.2.ln2.hook_normalized"
    (folder / "cfg.json").write_text(json.dumps(config))
    return "normed"


def test_the_python_script_prints_the_rows_of_the_run(container, settings, tmp_path):
    made = [scaled_topk(settings.home), before_the_gain(settings.home)]
    saes = ["demo-l1-res", "demo-l2-res", *made]
    request = RunRequest(prompt="The capital of", max_tokens=8, seed=4, sae_ids=saes)
    request_id = container.runs.start(request).request_id
    assert container.runs.wait(request_id, 120).status is RunStatus.OK
    script = container.runs.code(request_id, "python")
    assert "import services" not in script and "from services" not in script

    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    printed = json.loads(answer.stdout.splitlines()[-1])
    ours, total = container.runs.rows(request_id, RowQuery())
    assert len(printed) == total
    assert {row.sae_id for row in ours} == set(saes)
    theirs = {(r["sae_id"], r["token_position"], r["rank"]): r for r in printed}
    for row in ours:
        other = theirs[row.sae_id, row.token_position, row.rank]
        assert (other["step"], other["token_id"], other["feature_id"]) == (
            row.step,
            row.token_id,
            row.feature_id,
        )
        assert other["activation_value"] == pytest.approx(row.activation_value, rel=1e-4, abs=1e-3)


def test_the_curl_command_carries_the_whole_request():
    command = code(run_view(), "curl", "http://127.0.0.1:8050")
    body = json.loads(command[command.index("{") : command.rindex("}") + 1])
    assert body == dict(run_view().request)
    assert "Authorization" not in command
    secured = code(run_view(), "curl", "http://127.0.0.1:8050", needs_token=True)
    assert '"Authorization: Bearer $ACTISCOPE_AUTH_TOKEN"' in secured


def test_a_run_without_tokens_has_nothing_to_reproduce():
    with pytest.raises(Unsupported):
        code(run_view(made_tokens=(), timelines=()), "python", "")
