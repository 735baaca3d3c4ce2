"""A run as code: a Python script on plain transformers and sae-lens, or a curl command.

The script starts from the stored token ids, so it gives the run's numbers on any machine that has
the same weights; its last line of output is the run's activation rows as a JSON list.
"""

from __future__ import annotations

import json
import shlex
from string import Template
from typing import Any, Literal

from services.errors import Unsupported
from services.types import RunView, Segment

Language = Literal["python", "curl"]

_SPEC = ("sae_id", "path", "module", "side", "norm", "centres_input", "input_scale")

_UNKNOWN_TO_SAE_LENS = ("topk_transcoder", "topk_skip_transcoder")

_PYTHON = Template('''\
"""Run $request_id again: features of a stored sequence, with plain transformers and sae-lens.

    pip install "transformers==$transformers" "sae-lens==$sae_lens" "torch==$torch"
"""

import json

import torch
from sae_lens import SAE
from transformers import AutoModelForCausalLM, AutoTokenizer

MODEL = $model  # revision $revision
DTYPE, DEVICE = torch.$dtype, "$device"
TOKEN_IDS = $token_ids
N_PROMPT = $n_prompt  # the tokens after these were written by the model
TOP_K = $top_k
SAES = $saes  # where each SAE lies, and the module whose input or output it reads

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=DTYPE).to(DEVICE).eval()
captured = {}


def keep(spec):
    """Store what the module receives or returns, [n_tokens, d_in]."""
    def read_input(module, args, kwargs):
        captured[spec["sae_id"]] = (args[0] if args else kwargs["hidden_states"])[0]

    def read_output(module, args, output):
        captured[spec["sae_id"]] = (output[0] if isinstance(output, tuple) else output)[0]

    module = model.get_submodule(spec["module"])
    if spec["side"] == "input":
        module.register_forward_pre_hook(read_input, with_kwargs=True)
    else:
        module.register_forward_hook(read_output)


def normalized(x, kind, eps):
    """The input of a norm's gain and bias: `x` of length sqrt(d)."""
    if kind == "layer":
        x = x - x.mean(-1, keepdim=True)
    return x * (x.pow(2).mean(-1, keepdim=True) + eps).rsqrt()


rows = []
with torch.no_grad():
    for spec in SAES:
        keep(spec)
    model(input_ids=torch.tensor([TOKEN_IDS], device=DEVICE), use_cache=False)
    for spec in SAES:
        sae = SAE.load_from_disk(spec["path"], device=DEVICE, dtype="float32")
        if sae.cfg.reshape_activations == "hook_z":  # the heads come flat already
            sae.turn_off_forward_pass_hook_z_reshaping()
        if spec["input_scale"] != 1:  # the stored weights lack it
            sae.fold_activation_norm_scaling_factor(spec["input_scale"])
        x = captured[spec["sae_id"]].float()
        if spec["norm"]:
            x = normalized(x, **spec["norm"])
        if spec["centres_input"]:  # trained on weights that write centred residuals
            x = x - x.mean(-1, keepdim=True)
        features = sae.encode(x)
        # The strongest by magnitude: some architectures have negative activations.
        _, ids = features.abs().topk(min(TOP_K, features.shape[-1]), dim=-1)
        values = features.gather(-1, ids)
        for position, (row_ids, row_values) in enumerate(zip(ids.tolist(), values.tolist())):
            for rank, (feature_id, value) in enumerate(zip(row_ids, row_values), start=1):
                if value != 0:
                    rows.append(
                        {
                            "step": max(position - N_PROMPT + 1, 0),
                            "token_position": position,
                            "token_id": TOKEN_IDS[position],
                            "token_str": tokenizer.decode([TOKEN_IDS[position]]),
                            "sae_id": spec["sae_id"],
                            "feature_id": feature_id,
                            "activation_value": value,
                            "rank": rank,
                        }
                    )
print(json.dumps(rows))
''')


def code(view: RunView, language: Language, base_url: str, needs_token: bool = False) -> str:
    """The run as a script or command; the command takes the server's token from the environment.

    Raises:
        Unsupported: nothing was computed that could be reproduced.
    """
    return _curl(view, base_url, needs_token) if language == "curl" else _python(view)


def _curl(view: RunView, base_url: str, needs_token: bool) -> str:
    body = {k: v for k, v in view.request.items() if k != "request_id" and v is not None}
    parts = [
        f"curl -s {shlex.quote(base_url + '/api/v1/playground/activations/run')}",
        "-H 'content-type: application/json'",
        *(['-H "Authorization: Bearer $ACTISCOPE_AUTH_TOKEN"'] if needs_token else []),
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    ]
    return " \\\n  ".join(parts) + "\n"


def _python(view: RunView) -> str:
    provenance = view.provenance
    if not view.tokens or "model" not in provenance:
        raise Unsupported(f"run {view.summary.request_id} has no tokens to reproduce")
    failed = {t.sae_id for t in view.timelines if t.error is not None}
    saes = [s for s in provenance.get("saes", []) if s["sae_id"] not in failed]
    for sae in saes:
        if sae["architecture"].startswith(_UNKNOWN_TO_SAE_LENS):
            raise Unsupported(
                f"sae-lens knows no {sae['architecture']} as {sae['sae_id']} is one: run without "
                "it for a script",
                sae_id=sae["sae_id"],
            )
    versions = provenance["versions"]
    return _PYTHON.substitute(
        request_id=view.summary.request_id,
        transformers=versions["transformers"],
        sae_lens=versions["sae-lens"],
        torch=versions["torch"].partition("+")[0],
        model=json.dumps(provenance["model"]["path"]),
        revision=provenance["model"]["revision"],
        dtype=provenance["dtype"],
        device=provenance["device"],
        token_ids=json.dumps([t.token_id for t in view.tokens]),
        n_prompt=sum(t.segment is Segment.PROMPT for t in view.tokens),
        top_k=view.summary.sae_top_k,
        saes=_literal([_spec(s) for s in saes]),
    )


def _spec(sae: dict[str, Any]) -> dict[str, Any]:
    return {key: sae.get(key) for key in _SPEC}  # runs of older versions have no `norm`


def _literal(specs: list[dict[str, Any]]) -> str:
    lines = "".join(f"    {spec!r},\n" for spec in specs)
    return f"[\n{lines}]" if specs else "[]"
