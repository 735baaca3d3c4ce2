"""The screens: one module each, layout and thin callbacks (parse, one service call, render)."""

from __future__ import annotations

import dash
from dash import Dash

from components.shell import NavItem
from pages import (
    add_corpus,
    add_places,
    add_sae,
    author,
    compare_features,
    corpora,
    corpus,
    corpus_actions,
    corpus_documents,
    corpus_tokens,
    entry_actions,
    extraction,
    extraction_actions,
    extraction_features,
    extractions,
    feature,
    feature_code,
    feature_decoder,
    feature_document,
    feature_evidence,
    feature_examples,
    feature_labels,
    feature_map,
    feature_map_families,
    feature_map_job,
    feature_map_selection,
    feature_probes,
    feature_runs,
    feature_steps,
    feature_tokens,
    features,
    features_bulk,
    features_rows,
    features_views,
    follow,
    health,
    job,
    job_panel,
    jobs,
    label_form,
    labels,
    labels_files,
    labels_history,
    labels_queue,
    models,
    new_extraction,
    not_found_404,
    panel_callbacks,
    pick_saes,
    playground,
    run,
    runs,
    sae,
    saes,
    task_panel,
)

NAV = (
    NavItem("Playground", "/", "playground"),
    NavItem("Runs", "/runs", "runs"),
    NavItem("Features", "/features", "features", also=("/labels",)),
    NavItem("SAEs", "/saes", "saes", also=("/sae",)),
    NavItem("Models", "/models", "models"),
    NavItem("Corpora", "/corpora", "corpora", also=("/corpus",)),
    NavItem("Extractions", "/extractions", "extractions", also=("/extraction",)),
    NavItem("Jobs", "/jobs", "jobs", also=("/job",)),
    NavItem("Health", "/health", "health"),
)

_PLAYGROUND = (playground, panel_callbacks, follow, run, runs)
_REGISTRY = (saes, sae, add_sae, add_places, models, entry_actions, task_panel)
_JOBS = (jobs, job, job_panel)
_CORPORA = (corpora, corpus, corpus_documents, corpus_tokens, corpus_actions, add_corpus)
_EXTRACTIONS = (
    extractions, extraction, extraction_actions, extraction_features, new_extraction, pick_saes,
)  # fmt: skip
_MAP = (feature_map, feature_map_job, feature_map_selection, feature_map_families)
_FEATURES = (features, features_rows, features_bulk, features_views, compare_features, *_MAP)
_FEATURE = (  # the page of one, in sections
    feature, feature_evidence, feature_examples, feature_document, feature_decoder, feature_tokens,
    feature_code, feature_labels, feature_probes, feature_runs, feature_steps,
)  # fmt: skip
_LABELS = (
    author, label_form, labels, labels_queue, labels_history, labels_files,
)  # fmt: skip
_ALL = (
    *_PLAYGROUND, health, *_REGISTRY, *_CORPORA, *_EXTRACTIONS, *_FEATURES, *_FEATURE, *_LABELS,
    *_JOBS,
)  # fmt: skip


def install(app: Dash) -> None:
    """Register the pages and attach their callbacks to `app`."""
    dash.page_registry.clear()  # it is the process's, and may hold the pages of another app
    _page("playground", playground.layout, "Playground", path=playground.PATH)
    _page("runs", runs.layout, "Runs", path=runs.PATH)
    _page("run", run.layout, run.title, path_template="/runs/<run_id>")
    _page("saes", saes.layout, "SAEs", path=saes.PATH)
    _page("sae", sae.layout, sae.title, path=sae.PATH)
    _page("add_sae", add_sae.layout, "Add SAE", path=add_sae.PATH)
    _page("models", models.layout, "Models", path=models.PATH)
    _page("corpora", corpora.layout, "Corpora", path=corpora.PATH)
    _page("corpus", corpus.layout, "Corpus", path=corpus.PATH)
    _page("add_corpus", add_corpus.layout, "Add corpus", path=add_corpus.PATH)
    _page("extractions", extractions.layout, "Extractions", path=extractions.PATH)
    _page("extraction", extraction.layout, extraction.title, path=extraction.PATH)
    _page("new_extraction", new_extraction.layout, "New extraction", path=new_extraction.PATH)
    _page("features", features.layout, "Features", path=features.PATH)
    _page("feature", feature.layout, feature.title, path_template=feature.PATH)
    _page("map", feature_map.layout, "Map of features", path=feature_map.PATH)
    _page("compare", compare_features.layout, "Compare features", path=compare_features.PATH)
    _page("labels", labels.layout, "Labels", path=labels.PATH)
    _page("jobs", jobs.layout, "Jobs", path=jobs.PATH)
    _page("job", job.layout, "Job", path=job.PATH)
    _page("health", health.layout, "Health", path="/health")
    _page("not_found_404", not_found_404.layout, "Page not found", path="/404")
    for module in _ALL:
        module.callbacks.install(app)


def _page(name: str, layout: object, title: object, **where: str) -> None:
    text = f"{title} · Actiscope" if isinstance(title, str) else title
    dash.register_page(f"pages.{name}", layout=layout, title=text, name=name, **where)
