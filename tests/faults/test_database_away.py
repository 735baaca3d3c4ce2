"""The database goes away while a run is written: nothing that was computed is lost."""

from __future__ import annotations

import time

import pytest

from services.container import Container
from services.errors import Unavailable
from services.runs.queries import RunQuery
from services.runs.request import RunRequest
from services.settings import Settings
from services.types import RunStatus
from tests.made_models import make_endless


def test_a_run_outlives_the_database(postgres_server, postgres_url, tmp_path):
    container = Container(Settings(home=tmp_path, database_url=postgres_url))
    body = make_endless(tmp_path)
    request_id = container.runs.start(RunRequest.parse(body | {"max_tokens": 150})).request_id
    while len(container.runs.live(request_id).output_tokens) < 20:
        time.sleep(0.01)

    postgres_server.stop("immediate")
    with pytest.raises(Unavailable):
        container.runs.list(RunQuery())
    assert container.health().status == "degraded"
    while len(container.runs.live(request_id).output_tokens) < 150:  # it writes on
        time.sleep(0.05)
    postgres_server.start()

    assert container.runs.wait(request_id, 60).status is RunStatus.OK
    view = container.runs.view(request_id)
    assert view.summary.output_tokens == 150
    assert len(view.timelines[0].feature_ids) == len(view.tokens)
    container.close()
