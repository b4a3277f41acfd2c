# SPDX-License-Identifier: Apache-2.0
"""The API under gunicorn, by dbflow-api and by gunicorn's own command: both serve alike."""

import contextlib
import pathlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from tests.functional.alone import TOKEN, Alone
from tests.functional.test_lines import lines
from tests.unit.api.world import BODY

THREADS = 8


@pytest.fixture(params=["dbflow-api", "gunicorn"])
def alone(request: pytest.FixtureRequest, open_tmp: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alone]:
    for name in ("HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(open_tmp))
    with Alone(open_tmp) as made:
        made.conf.write_text(made.conf.read_text().replace("workers = 3", f"workers = 1\nthreads = {THREADS}"))
        service = (made.api if request.param == "dbflow-api" else made.gunicorn)()
        yield made
        with service.log.open() as log:
            said = [line["message"] for line in lines(log)]
        assert any(line.startswith("Booting worker") for line in said), said


def test_streams_of_a_user_leave_threads_to_others(alone: Alone) -> None:
    base, mine = f"http://127.0.0.1:{alone.api_port}", {"X-Auth-Token": TOKEN}
    made = requests.post(f"{base}/v1.0/p/instances", json=BODY, headers=mine, timeout=30)
    assert made.status_code == 200, made.text
    events = f"{base}{urlsplit(made.links['operation']['url']).path}/events"
    with contextlib.ExitStack() as streams:
        statuses = []
        for _ in range(THREADS):
            stream = streams.enter_context(requests.get(events, headers=mine, timeout=30, stream=True))
            statuses.append(stream.status_code)
        # A quarter of three quarters of the threads.
        assert statuses == [200] + [413] * (THREADS - 1)
        assert alone.get("/healthcheck?only=").status_code == 200


def test_figures_have_their_port_and_nothing_else_is_opened(alone: Alone) -> None:
    assert alone.get("/v1.0/p/instances").status_code == 200
    assert "dbflow_sql_connections" in alone.figures(alone.api_metrics)
    assert not [path for path in alone.directory.rglob("*") if path.is_socket()]
