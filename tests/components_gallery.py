"""A small application that shows every component with made data; the browser tests look at it.

`python -m tests.components_gallery` serves it on port 8051.
"""

from __future__ import annotations

from pathlib import Path

import dash
import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from components import (
    catalogue_list,
    entries,
    feedback,
    figures,
    grids,
    health,
    models,
    offers,
    runs,
    saes,
    tasks,
    token_strip,
    verdicts,
)
from components.preflight_figures import preflight_figures
from components.shell import NavItem, app_shell, connect, page, section
from components.theme import INDEX_STRING
from services.types import EntryState, RunStatus, TaskStatus, Verdict
from tests.unit.components.made import (
    HOSTILE,
    make_deltas,
    make_health,
    make_live,
    make_rows,
    make_summary,
    make_top,
    make_view,
)
from tests.unit.components.made_registry import (
    make_candidates,
    make_catalogue,
    make_info,
    make_model,
    make_report,
    make_sae,
    make_task,
)

ASSETS = Path(__file__).resolve().parent.parent / "assets"
VIEW, LONG, BAD = make_view(150), make_view(2000), make_view(60, tuple(HOSTILE))
ROWS = grids.row_data(make_rows(VIEW))


def _strips() -> list[object]:
    timeline = VIEW.timelines[0]
    values = token_strip.shown_values(VIEW, timeline, 101)
    legend = token_strip.activation_legend(
        token_strip.scale_top(VIEW, values), "feature #101 of demo-sae"
    )
    return [
        section(
            "Tokens",
            [legend, token_strip.token_strip(VIEW, timeline, feature_id=101, id="strip")],
            actions=dmc.Switch(id="special", label="Special tokens", size="xs"),
        ),
        html.Pre(id="events", style={"whiteSpace": "pre-wrap"}),
        section(
            "Writing",
            [
                html.Div(runs.live_progress(make_live(96)), id="progress"),
                token_strip.TokenStrip(id="live", **token_strip.live_props(make_live(0))),
                dmc.Button("More tokens", id="more", variant="default", mt="sm"),
            ],
        ),
        section(
            "Long",
            [dmc.Button("Show 2,000 tokens", id="long-load", mb="sm"), html.Div(id="long-slot")],
        ),
        section(
            "Hostile",
            token_strip.token_strip(BAD, BAD.timelines[0], show_special=True, id="hostile"),
        ),
    ]


def _figures() -> list[object]:
    timeline, top = VIEW.timelines[0], make_top(VIEW)
    ranked = [feature.feature_id for feature in top]
    heat = figures.feature_token_heatmap(VIEW, timeline, ranked, pinned=101, selected=40)
    wide = figures.feature_token_heatmap(LONG, LONG.timelines[0], ranked)
    bad = figures.feature_token_heatmap(BAD, BAD.timelines[0], ranked, show_special=True)
    deltas = figures.deltas_figure(make_deltas(VIEW), selected=40)
    bars = figures.top_feature_bars(top, pinned=ranked[3])
    shown = [
        ("Top features", "bars", bars),
        ("Features by token", "heat", heat),
        ("Features by token, 2,000", "wide", wide),
        ("Features by token, hostile", "bad", bad),
        ("Feature #101", "deltas", deltas),
    ]
    return [section(name, figures.graph(id, figure, label=name)) for name, id, figure in shown]


def _rest() -> list[object]:
    states = list(RunStatus)
    summaries = [make_summary(states[i % 7], i) for i in range(9)]
    summaries[2] = make_summary(prompt_preview=HOSTILE[1], number=2, notes=HOSTILE[0])
    code = 'import requests\n\nanswer = requests.post(\n    "http://127.0.0.1:8050/api/v1/runs",\n)'
    return [
        section("Rows", grids.rows_grid("rows")),
        section("Facts", runs.run_facts(VIEW)),
        section("Recent runs", runs.recent_runs_list(summaries[:4])),
        section("No runs", runs.recent_runs_list([])),
        section(
            "States",
            [
                feedback.error_alert(
                    "NOT_FOUND",
                    "There is no model `gpt-5`. This server has: demo-1m, pythia-70m.",
                    {"model_id": HOSTILE[0], "available": ["demo-1m", "pythia-70m"]},
                ),
                feedback.loading(),
            ],
        ),
        section("Code", feedback.code_block(code, id="code", label="Python code")),
        section("Health", health.health_view(make_health())),
        dmc.Button("Delete run", id="ask", color="red"),
        feedback.confirm_modal(
            "really", title="Delete this run?", text="It cannot be undone.", confirm_label="Delete"
        ),
        dcc.Store(id="view", data=None),
    ]


def _registry() -> list[object]:
    report = make_report(Verdict.BROKEN)
    unusable = make_sae(None, 4, state=EntryState.UNUSABLE, problem=HOSTILE[0])
    cards = [make_sae(), make_sae(Verdict.BROKEN, 2), make_sae(None, 3, is_stale=True), unusable]
    large = make_model(memory_bytes=32_000_000_000, problem=HOSTILE[0])
    button = dmc.Button("Unload", size="xs", variant="default")
    add = dmc.Button("Add", size="xs")
    final = make_task(TaskStatus.FAILED, error_code="NOT_FOUND", error_message="No repository")
    entries_found = catalogue_list.list_props(make_catalogue(), "")
    catalogue = catalogue_list.CatalogueList(id="catalogue", **entries_found)
    shown = [
        ("SAEs", saes.sae_table(cards)),
        ("No SAEs", saes.empty_saes(False, add)),
        ("SAE", saes.sae_facts(make_sae(), "https://hub.example")),
        ("Models", [models.model_card(card, [button]) for card in (make_model(), large)]),
        ("Model", models.model_facts(make_model(), "https://hub.example")),
        ("Verdict", verdicts.verdict_summary(report, stale=True)),
        ("Reasons", verdicts.findings_list(report.findings)),
        ("No reasons", verdicts.findings_list(())),
        ("Measured", verdicts.metrics_table(report)),
        ("Conditions", verdicts.conditions_list(report)),
        ("History", verdicts.history_table([report, make_report()])),
        *((title, figures.graph(f"p-{i}", figure, label=label))
          for i, (title, label, figure) in enumerate(preflight_figures(report))),
        ("Task", [tasks.task_progress(make_task()), tasks.task_progress(final)]),
        ("Catalogue", catalogue),
        ("Found", [offers.candidate_choice("found", make_candidates()),
                   offers.candidate_problems(make_candidates())]),
        ("Links", [saes.neuronpedia(make_info()), entries.state_badge(EntryState.READY)]),
    ]  # fmt: skip
    return [section(title, drawn) for title, drawn in shown]


def _layout() -> object:
    parts = [*_strips(), *_figures(), *_registry(), *_rest()]
    return page("Gallery", parts, intro="Every component, made data.")


def _callbacks(app: Dash) -> None:
    app.callback(Output("strip", "showSpecial"), Input("special", "checked"))(bool)

    @app.callback(
        Output("events", "children"),
        Input("strip", "clicked"),
        Input("strip", "hoverFeatureClicked"),
        prevent_initial_call=True,
    )
    def events(clicked: object, feature: object) -> str:
        return repr({"clicked": clicked, "feature": feature})

    @app.callback(
        Output("live", "tokens"),
        Output("live", "special"),
        Output("live", "logprobs"),
        Output("live", "streaming"),
        Input("more", "n_clicks"),
        prevent_initial_call=True,
    )
    def more(clicks: int) -> tuple[object, ...]:
        props = token_strip.live_props(make_live(40 * clicks))
        return props["tokens"], props["special"], props["logprobs"], props["streaming"]

    @app.callback(
        Output("long-slot", "children"), Input("long-load", "n_clicks"), prevent_initial_call=True
    )
    def load(_: int) -> object:
        return token_strip.token_strip(LONG, LONG.timelines[0], id="long")

    @app.callback(Output("rows", "getRowsResponse"), Input("rows", "getRowsRequest"))
    def rows(request: dict[str, int] | None) -> object:
        if request is None:
            return dash.no_update
        return {"rowData": ROWS[request["startRow"] : request["endRow"]], "rowCount": len(ROWS)}

    @app.callback(
        Output("really", "opened"), Input("ask", "n_clicks"), State("really", "opened"),
        prevent_initial_call=True,
    )  # fmt: skip
    def ask(_: int, opened: bool) -> bool:
        return not opened


NAV = [
    NavItem(name.capitalize(), "/" if name == "playground" else f"/{name}", name)
    for name in ("playground", "runs", "features", "models", "saes", "health")
]


def create_app() -> Dash:
    """The gallery, under the content security policy of the product."""
    app = Dash(
        "gallery", use_pages=True, pages_folder="", assets_folder=str(ASSETS),
        index_string=INDEX_STRING, title="Gallery",
    )  # fmt: skip
    dash.page_registry.clear()  # of other apps in this process
    dash.register_page("gallery", path="/", title="Gallery", layout=_layout)
    app.layout = app_shell(NAV)
    connect(app)
    _callbacks(app)

    @app.server.after_request
    def policy(response: object) -> object:
        scripts = " ".join(["'self'", *app.csp_hashes()])
        response.headers["Content-Security-Policy"] = (  # type: ignore[attr-defined]
            f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'"
        )
        return response

    return app


if __name__ == "__main__":
    create_app().run(port=8051)
