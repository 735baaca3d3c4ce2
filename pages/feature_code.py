"""A feature as code and as files: read its activations elsewhere, fetch its page over HTTP."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import Input, Output, html

from components.feedback import code_block, loading
from components.icons import icon
from components.shell import section
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds
from pages.feature_place import view_at
from services.types.features import FeatureView

callbacks = CallbackSet()


def section_for() -> Any:
    """Languages as tabs, files under them."""
    body = [
        html.Div(id=FeatureIds.CODE_ERROR),
        html.Div(loading(), id=FeatureIds.CODE, className="as-feature-part"),
    ]
    return section("Take it with you", body, id="code")


@callbacks.on(
    Output(FeatureIds.CODE, "children"),
    Input(FeatureIds.PLACE, "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.CODE_ERROR,
)
def show_code(place: Any) -> Any:
    """The feature that the page shows, in each language."""
    view = view_at(place)
    if view is None:
        return None
    folder = None if view.source is None else services().stores.url(view.source.store_id)
    parts = feature_code(view, folder, services().settings.base_url)
    tabs = [dmc.TabsTab(label, value=key) for key, label, _ in parts]
    panels = [
        dmc.TabsPanel(code_block(text, id=f"feature-code-{key}", label=label), value=key, pt="sm")
        for key, label, text in parts
    ]
    return [dmc.Tabs([dmc.TabsList(tabs), *panels], value=parts[0][0]), _files(view)]


def feature_code(
    view: FeatureView, folder: str | None, base_url: str
) -> list[tuple[str, str, str]]:
    """Key, label and text of each language; what reads the store only where there is one."""
    parts = [
        ("curl", "curl", _curl(view, base_url)),
        ("cli", "actiscope", _cli(view)),
    ]
    if view.source is None or folder is None:
        return parts
    store_id = view.source.store_id
    return [
        ("python", "Python", _python(folder, view.feature_id)),
        ("polars", "polars", _polars(base_url, store_id, view.feature_id)),
        *parts,
    ]


def _python(folder: str, feature: int) -> str:
    return f"""from services.store import ActivationStore

store = ActivationStore.open({folder!r})
found = store.feature({feature})  # .positions and .values: views of the file, nothing is copied
strongest = found.values.argsort()[::-1][:20]
for position, value in zip(found.positions[strongest].tolist(), found.values[strongest].tolist()):
    print(f"{{value:.3f}}", position, store.context(position, width=10).token_ids)
"""


def _polars(base_url: str, store_id: str, feature: int) -> str:
    address = f"{base_url}/api/v1/stores/{quote(store_id)}/activations/{feature}/arrow"
    return f"""from io import BytesIO
from urllib.request import urlopen

import polars as pl

address = {f"{address}?documents=true"!r}
activations = pl.read_ipc_stream(BytesIO(urlopen(address).read()))
print(activations.describe())
print(activations.sort("value", descending=True).head(20))
print(activations.group_by("document").agg(pl.len(), pl.max("value")).sort("len", descending=True))
"""


def _curl(view: FeatureView, base_url: str) -> str:
    feature = f"{base_url}{_address(view)}"
    from_text = [
        ("examples from every range of its activations", f"{feature}/intervals"),
        ("its strongest activations in their text", f"{feature}/examples?limit=50"),
        ("features that fire with it", f"{feature}/coactivations"),
        ("tokens at, before and after its activations", f"{feature}/tokens"),
        ("everything in brief, as Markdown", f"{feature}/overview"),
    ]
    commands = [
        ("statistics with intervals and warnings", feature),
        *(from_text if view.source is not None else []),
        ("the tokens whose logits it moves most", f"{feature}/logits"),
        ("features that write nearly the same", f"{feature}/neighbours"),
    ]
    return "".join(f"# {what}\ncurl {shlex.quote(address)}\n" for what, address in commands)


def _cli(view: FeatureView) -> str:
    what = f"{shlex.quote(view.sae_id)} {view.feature_id}"
    lines = [
        f"actiscope overview {what}",
        f"actiscope decoder output-influence {what}",
        f"actiscope decoder similar {what}",
    ]
    return "\n".join(lines) + "\n"


def _address(view: FeatureView) -> str:
    return f"/api/v1/saes/{quote(view.sae_id)}/features/{view.feature_id}"


def _files(view: FeatureView) -> Any:
    """Files of what the page shows."""
    address = _address(view)
    files = [("Statistics as JSON", address), ("Logit weights as JSON", f"{address}/logits")]
    if view.source is not None:
        store = f"/api/v1/stores/{quote(view.source.store_id)}/activations/{view.feature_id}/arrow"
        files = [
            ("Overview as Markdown", f"{address}/overview"),
            ("All activations as Arrow", f"{store}?documents=true"),
            ("Strongest 200 examples as JSON", f"{address}/examples?limit=200"),
            *files,
        ]
    links = [
        html.A([icon("download", 16), label], href=href, className=_QUIET, download="")
        for label, href in files
    ]
    return dmc.Group(links, gap="xs", mt="md")


_QUIET = "as-button as-button-quiet as-button-small"
