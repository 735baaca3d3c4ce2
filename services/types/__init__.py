"""The values that cross from services to pages and components.

Frozen, and without database rows, tensors or Dash objects.
"""

from __future__ import annotations

from services.types.jobs import JobLogLine, JobPage, JobPhase, JobStatus, JobView
from services.types.models import ModelInfo, SaeInfo, Verdict, page_on_neuronpedia
from services.types.registry import (
    RUNS_COUNTED,
    Candidate,
    CatalogueEntry,
    CataloguePage,
    EntryState,
    Finding,
    ModelCard,
    PreflightReport,
    SaeCard,
    Source,
    TaskStatus,
    TaskView,
)
from services.types.runs import (
    ActivationRow,
    FeatureDelta,
    FeatureDeltas,
    FeatureTimeline,
    FloatArray,
    IntArray,
    LiveRun,
    RunPage,
    RunStatus,
    RunSummary,
    RunView,
    Segment,
    Token,
    TopFeature,
)
from services.types.system import Check, Download, Health

__all__ = [
    "RUNS_COUNTED",
    "ActivationRow",
    "Candidate",
    "CatalogueEntry",
    "CataloguePage",
    "Check",
    "Download",
    "EntryState",
    "FeatureDelta",
    "FeatureDeltas",
    "FeatureTimeline",
    "Finding",
    "FloatArray",
    "Health",
    "IntArray",
    "JobLogLine",
    "JobPage",
    "JobPhase",
    "JobStatus",
    "JobView",
    "LiveRun",
    "ModelCard",
    "ModelInfo",
    "PreflightReport",
    "RunPage",
    "RunStatus",
    "RunSummary",
    "RunView",
    "SaeCard",
    "SaeInfo",
    "Segment",
    "Source",
    "TaskStatus",
    "TaskView",
    "Token",
    "TopFeature",
    "Verdict",
    "page_on_neuronpedia",
]
