# SPDX-License-Identifier: Apache-2.0
"""/healthcheck, with things that are there, away, or silent."""

import concurrent.futures
import dataclasses
import itertools
import logging
import pathlib
import threading
import time

import pytest
from flask.testing import FlaskClient

from dbflow import healthcheck
from dbflow.api.app import create_app
from dbflow.api.auth import TokenFileAuth
from tests.unit.api.world import World
from tests.waiting import wait_for

JSON = {"Accept": "application/json"}
SECRET = "amqp://dbflow:pass@rabbit.example.org"


class Thing:
    """Something that is asked; it hangs while ``answers`` is not set."""

    def __init__(self) -> None:
        self.there, self.asked = True, 0
        self.answers = threading.Event()
        self.answers.set()

    def probe(self) -> None:
        self.asked += 1
        assert self.answers.wait(60)
        if not self.there:
            raise ConnectionError(SECRET)


@dataclasses.dataclass
class Site:
    """An API that needs two things."""

    client: FlaskClient
    sql: Thing
    broker: Thing

    def json(self, query: str = "") -> tuple[int, dict[str, str]]:
        answer = self.client.get(f"/healthcheck{query}", headers=JSON)
        assert answer.mimetype == "application/json"
        assert answer.json["healthy"] is (answer.status_code == 200)
        for check in answer.json["checks"].values():
            assert set(check) == {"status", "time_ms"}
            assert check["time_ms"] >= 0
        return answer.status_code, {name: check["status"] for name, check in answer.json["checks"].items()}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer counts for later."""
    monkeypatch.setattr(healthcheck, "_FRESH", 0.0)


@pytest.fixture
def site(world: World) -> Site:
    sql, broker = Thing(), Thing()
    services = dataclasses.replace(world.services, probes={"sql": sql.probe, "broker": broker.probe})
    return Site(create_app(services, TokenFileAuth(world.token_file)).test_client(), sql, broker)


def test_all_is_there(site: Site) -> None:
    answer = site.client.get("/healthcheck")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    first, *others = answer.text.splitlines()
    assert first == "OK"
    assert [line.rpartition(",")[0] for line in others] == ["sql: ok", "broker: ok"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert site.json() == (200, {"sql": "ok", "broker": "ok"})


@pytest.mark.usefixtures("fresh")
def test_one_is_away_and_comes_back(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.broker.there = False
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert site.json() == (503, {"sql": "ok", "broker": "error"})
        answer = site.client.get("/healthcheck")
    assert answer.status_code == 503
    assert answer.text.startswith("UNAVAILABLE\nsql: ok, ")
    assert SECRET not in answer.text
    assert [record.getMessage() for record in caplog.records if "away" in record.getMessage()] == [
        "broker is away: ConnectionError"
    ]
    site.broker.there = True
    assert site.json()[0] == 200


@pytest.mark.usefixtures("fresh")
def test_one_that_is_silent_holds_nobody_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healthcheck, "_PATIENCE", 1.0)  # in which the other one answers, too
    site.sql.answers.clear()
    before = threading.active_count()
    try:
        for _ in range(5):
            began = time.monotonic()
            assert site.json() == (503, {"sql": "error", "broker": "ok"})
            assert time.monotonic() - began < 30
        assert site.sql.asked == 1
        assert threading.active_count() <= before + 2
    finally:
        site.sql.answers.set()
    wait_for(lambda: site.json()[0] == 200, 30, "its answer")


@pytest.mark.usefixtures("fresh")
def test_few_wait_for_one_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody for one that has been silent for long."""
    monkeypatch.setattr(healthcheck, "_PATIENCE", 60.0)
    sql = Thing()
    checks = healthcheck.Checks({"sql": sql.probe})
    assert checks.look(["sql"])["sql"].there
    sql.answers.clear()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        looks = [pool.submit(checks.look, ["sql"]) for _ in range(20)]
        told = list(itertools.islice(concurrent.futures.as_completed(looks, timeout=30), 16))
        assert all(look.result()["sql"].there for look in told)
        monkeypatch.setattr(healthcheck, "_PATIENCE", 0.0)
        assert not checks.look(["sql"])["sql"].there
        sql.answers.set()
    assert all(look.result()["sql"].there for look in looks)


@pytest.mark.usefixtures("fresh")
def test_no_thread_is_to_be_had(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert site.json() == (503, {"sql": "error", "broker": "error"})
    assert site.json()[0] == 200


def test_strangers_make_it_ask_once_a_second(site: Site) -> None:
    for _ in range(50):
        assert site.client.get("/healthcheck").status_code == 200
    assert site.sql.asked <= 5


def test_some_of_it_alone(site: Site) -> None:
    site.broker.there = False
    assert site.json("?only=sql") == (200, {"sql": "ok"})
    assert site.json("?only=broker,sql") == (503, {"broker": "error", "sql": "ok"})
    assert site.json("?only=") == (200, {})
    answer = site.client.get("/healthcheck?only=sql,disk")
    assert answer.status_code == 400
    assert "only: names of sql, broker" in answer.text


def test_a_file_takes_it_out_of_service(site: Site, world: World, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "out-of-service"
    world.conf.set_override("healthcheck_disabled_by", str(file), "api")
    assert site.client.get("/healthcheck").status_code == 200
    file.touch()
    assert site.client.get("/healthcheck").text.startswith("DISABLED BY FILE\n")
    answer = site.client.get("/healthcheck", headers=JSON)
    assert (answer.status_code, answer.json["disabled"], answer.json["healthy"]) == (503, True, False)
    file.unlink()
    assert site.json()[0] == 200


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("*/*", "text/plain"), ("application/json", "application/json"), ("text/html,*/*;q=0.1", "text/plain")],
)
def test_in_what_it_is_answered(site: Site, accept: str, kind: str) -> None:
    assert site.client.get("/healthcheck", headers={"Accept": accept}).mimetype == kind
