# SPDX-License-Identifier: Apache-2.0
"""What runs the operations, as administrators see it."""

import datetime

import jsonschema
import pytest
import sqlalchemy as sa

from dbflow.api.schemas import fleet as schemas
from dbflow.db.models import Conductor, utcnow
from dbflow.jobboard import BoardUnavailable, JobView
from dbflow.operations import State
from tests.unit.api.world import World


@pytest.mark.parametrize("what", ["jobs", "conductors", "guests"])
def test_only_for_administrators(world: World, what: str) -> None:
    for token in ("owner", "reader"):
        answer = world.ask("GET", f"mgmt/{what}", token)
        assert answer.status_code == 403
        assert answer.content_type == "application/problem+json"
    assert world.ask("GET", f"mgmt/{what}", "admin").json == {what: []}


def test_jobs_and_what_has_none(world: World) -> None:
    """In the board's order; then what should be on it; a job whose operation has ended has no state."""
    first, second = world.created(), world.created(name="db2")
    posted, missing = (world.instance(one).operation_id or "" for one in (first, second))
    now = utcnow()
    world.jobs = [
        JobView("gone", "instance.restart", "HIGH", now, None),
        JobView(posted, "instance.create", "NORMAL", now, "c1"),
    ]
    jobs = world.ask("GET", "mgmt/jobs", "admin").json
    jsonschema.validate(jobs, schemas.JOBS)
    assert [(job["operation_id"], job["owner"], job["state"]) for job in jobs["jobs"]] == [
        ("gone", None, None),
        (posted, "c1", "ACCEPTED"),
        (missing, None, "ACCEPTED"),
    ]
    assert [job["posted"] for job in jobs["jobs"]] == [now.isoformat(), now.isoformat(), None]


def test_jobs_are_told_without_what_was_asked(world: World) -> None:
    """Arguments are sealed and may be long: they stay where they are."""
    world.created()
    asked: list[str] = []
    sa.event.listen(world.database.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    assert len(world.ask("GET", "mgmt/jobs", "admin").json["jobs"]) == 1
    assert any("FROM operations" in one for one in asked)
    assert not any("arguments" in one for one in asked)


def test_jobs_while_the_board_is_away(world: World) -> None:
    def away() -> list[JobView]:
        raise BoardUnavailable("no answer")

    world.services.board = away
    answer = world.ask("GET", "mgmt/jobs", "admin")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["detail"] == "The jobboard does not answer."


def test_conductors_with_their_operations(world: World) -> None:
    operation_id = world.instance(world.created()).operation_id or ""
    ended = world.instance(world.active(name="db2")).operation_id
    assert ended is None
    with world.database.write() as session:
        session.add(Conductor(name="h:1:a", host="h", pid=1, version="1.0", leader=True, flows=1))
        long_ago = utcnow() - datetime.timedelta(minutes=1)
        session.add(Conductor(name="h:2:b", host="h", pid=2, version="1.0", leader=True, seen=long_ago))
        operation = world.operation(operation_id)
        operation.state, operation.conductor = State.RUNNING, "h:1:a"
        session.merge(operation)
    found = world.ask("GET", "mgmt/conductors", "admin").json
    jsonschema.validate(found, schemas.CONDUCTORS)
    leader, killed = found["conductors"]
    assert (leader["name"], leader["leader"], leader["operations"]) == ("h:1:a", True, [operation_id])
    assert 0 <= leader["silent"] < 60
    assert (killed["name"], killed["leader"]) == ("h:2:b", False)


def test_guests_page_by_page(world: World) -> None:
    """Of every project, also those never heard."""
    heard, silent = world.active(), world.created("other", name="db2")
    seen = {}
    path = "mgmt/guests?limit=1"
    for _ in range(2):
        answer = world.ask("GET", path, "admin").json
        jsonschema.validate(answer, schemas.GUESTS)
        (guest,) = answer["guests"]
        seen[guest["instance_id"]] = guest
        path = f"mgmt/guests?limit=1&marker={guest['instance_id']}"
    assert "links" not in answer
    assert seen[heard]["service_status"] == "HEALTHY"
    assert seen[heard]["silent"] >= 0
    assert (seen[silent]["service_status"], seen[silent]["silent"], seen[silent]["project_id"]) == (None, None, "p2")


def test_draining_a_conductor(world: World) -> None:
    with world.database.write() as session:
        session.add(Conductor(name="h:1:a", host="h", pid=1, version="1.0"))

    def put(name: str, body: object, token: str = "admin") -> int:
        return world.ask("PUT", f"mgmt/conductors/{name}", token, json=body).status_code

    for wanted in (True, False):
        assert put("h:1:a", {"conductor": {"draining": wanted}}) == 202
        (shown,) = world.ask("GET", "mgmt/conductors", "admin").json["conductors"]
        assert shown["draining"] is wanted
    assert put("nobody", {"conductor": {"draining": True}}) == 404
    assert put("h:1:a", {"conductor": {"draining": "yes"}}) == 400
    assert put("h:1:a", {"conductor": {"draining": True}}, "owner") == 403
    with world.database.write() as session:
        session.get_one(Conductor, "h:1:a").seen = utcnow() - datetime.timedelta(minutes=1)
    assert put("h:1:a", {"conductor": {"draining": True}}) == 409  # it would not hear of it
