# SPDX-License-Identifier: Apache-2.0
"""/operations: list, show, verbs, waiting, drawing, events."""

import json
import threading
import time
from collections.abc import Iterator

import pytest

from dbflow.db.models import Operation, utcnow
from dbflow.operations import State
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS
from tests.unit.api.world import TOKENS, World
from tests.waiting import wait_for

KEYS = {
    "id", "name", "kind", "version", "target", "project_id", "user_id", "state", "done", "actions", "attempts",
    "created", "links", "request_id",
}  # fmt: skip


def operation_of(world: World, instance_id: str) -> str:
    return world.instance(instance_id).operation_id or ""


def begin_flow(world: World, operation_id: str) -> None:
    """What a conductor has saved when the first step runs."""
    now = utcnow().isoformat()
    with world.database.write() as session:
        operation = session.get_one(Operation, operation_id)
        operation.state, operation.started, operation.attempts = State.RUNNING, utcnow(), 1
        common = {"created_at": utcnow(), "updated_at": utcnow(), "meta": {}}
        session.execute(LOGBOOKS.insert().values(uuid="book", name="b", **common))
        session.execute(FLOWS.insert().values(uuid=operation.flow_uuid, parent_uuid="book", name="f", **common))
        step = {
            "uuid": "a1",
            "parent_uuid": operation.flow_uuid,
            "name": "create-port",
            "atom_type": "TASK_DETAIL",
            "version": "1.0",
            "state": "RUNNING",
            "intention": "EXECUTE",
        }
        session.execute(ATOMS.insert().values(**step, **common | {"meta": {"progress": 0.5, "started": now}}))


def step_done(world: World) -> None:
    with world.database.write() as session:
        session.execute(ATOMS.update().values(state="SUCCESS"))


def test_list_and_show(world: World) -> None:
    instance_id = world.created()
    operation_id = operation_of(world, instance_id)
    (listed,) = world.ask("GET", "operations").json["operations"]
    assert set(listed) == KEYS
    assert (listed["kind"], listed["state"], listed["done"]) == ("instance.create", "ACCEPTED", False)
    assert listed["target"] == {"type": "instance", "id": instance_id}
    assert listed["actions"] == ["cancel", "suspend"]
    begin_flow(world, operation_id)
    shown = world.ask("GET", f"operations/{operation_id}").json["operation"]
    assert set(shown) == KEYS | {"steps", "progress", "started"}
    assert shown["progress"] == 0.5
    (step,) = shown["steps"]
    assert (step["name"], step["state"], step["progress"]) == ("create-port", "RUNNING", 0.5)


def test_filters_and_pages(world: World) -> None:
    first, second = world.active(), world.created()
    world.ask("POST", f"instances/{first}/action", json={"restart": {}})

    def found(query: str) -> list[str]:
        return [operation["kind"] for operation in world.ask("GET", f"operations?{query}").json["operations"]]

    assert found("") == ["instance.restart", "instance.create", "instance.create"]
    assert found("kind=instance.restart") == ["instance.restart"]
    assert found("done=true") == ["instance.create"]
    assert found(f"target_id={second}&done=false") == ["instance.create"]
    assert found("state=SUCCESS") == ["instance.create"]
    page = world.ask("GET", "operations?limit=1&done=false").json
    rest = world.ask("GET", page["links"][0]["href"].removeprefix("http://localhost")).json
    kinds = [operation["kind"] for half in (page, rest) for operation in half["operations"]]
    assert (kinds, "links" in rest) == (["instance.restart", "instance.create"], False)
    assert world.ask("GET", "operations", "other").json == {"operations": []}
    assert len(world.ask("GET", "operations?all_projects=1", "admin").json["operations"]) == 3
    assert world.ask("GET", "operations?all_projects=1").status_code == 403
    for bad in ("done=perhaps", "limit=x", "marker=x", f"target={second}"):
        answer = world.ask("GET", f"operations?{bad}")
        assert (answer.status_code, answer.json["detail"].split()[0]) == (400, bad.split("=")[0] + ":")


def test_errors_are_problems(world: World) -> None:
    answer = world.ask("GET", "operations/none")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Operation none cannot be found.",
    }
    assert world.ask("PATCH", "operations").mimetype == "application/problem+json"


def test_administrators_release_claims(world: World) -> None:
    operation_id = operation_of(world, world.created())

    def act(token: str = "admin") -> int:
        path = f"/v1.0/{TOKENS[token]['project_id']}/operations/{operation_id}/release"
        return world.ask("POST", path, token).status_code

    assert act() == 409
    with world.database.write() as session:
        row = session.get_one(Operation, operation_id)
        row.state, row.epoch, row.requested = State.RUNNING, 17, "cancel"
    shown = world.ask("GET", f"operations/{operation_id}").json["operation"]
    assert "release" not in shown["actions"]
    assert act("owner") == 403
    world.posted.clear()
    assert act() == 202
    operation = world.operation(operation_id)
    assert (operation.released_epoch, operation.state, operation.requested) == (17, State.RUNNING, "cancel")
    assert (act(), world.posted) == (409, [])


def test_verbs(world: World) -> None:
    operation_id = operation_of(world, world.created())
    world.posted.clear()

    def act(verb: str) -> int:
        return world.ask("POST", f"operations/{operation_id}/{verb}").status_code

    def state(state: State) -> None:
        with world.database.write() as session:
            session.get_one(Operation, operation_id).state = state

    assert act("retry") == act("resume") == 409
    assert act("suspend") == 202
    assert world.operation(operation_id).requested == "suspend"
    assert act("suspend") == 409
    assert act("resume") == 202
    assert world.operation(operation_id).requested is None
    assert world.posted == []
    state(State.SUSPENDED)
    assert act("resume") == 202
    assert (world.operation(operation_id).state, world.posted) == (State.ACCEPTED, [operation_id])
    assert act("cancel") == 202
    assert act("cancel") == 409
    assert world.ask("POST", f"operations/{operation_id}/explode").status_code == 404
    assert world.ask("POST", f"operations/{operation_id}/cancel", "other").status_code == 404
    state(State.SUCCESS)
    assert act("cancel") == act("suspend") == act("resume") == act("retry") == 409


def test_retry_takes_the_instance_again(world: World) -> None:
    instance_id = world.created()
    operation_id = operation_of(world, instance_id)
    with world.database.write() as session:
        session.get_one(Operation, operation_id).state = State.FAILED
        instance = session.merge(world.instance(instance_id))
        instance.operation_id, instance.task = None, "ERROR"
    world.posted.clear()
    assert world.ask("POST", f"operations/{operation_id}/retry").status_code == 202
    assert (world.operation(operation_id).state, world.posted) == (State.ACCEPTED, [operation_id])
    row = world.instance(instance_id)
    assert (row.operation_id, row.task) == (operation_id, "BUILDING")


def test_a_delete_can_not_be_cancelled(world: World) -> None:
    instance_id = world.active()
    world.ask("DELETE", f"instances/{instance_id}")
    assert world.ask("POST", f"operations/{operation_of(world, instance_id)}/cancel").status_code == 409


@pytest.mark.parametrize(
    ("form", "mimetype", "begin"),
    [
        ("json", "application/json", "{"),
        ("dot", "text/vnd.graphviz", "digraph"),
        ("svg", "image/svg+xml", "<svg"),
        ("text", "text/plain", ""),
    ],
)
def test_the_flow(world: World, form: str, mimetype: str, begin: str) -> None:
    operation_id = operation_of(world, world.created(users=[{"name": "app", "password": "s3cret"}]))
    begin_flow(world, operation_id)
    answer = world.ask("GET", f"operations/{operation_id}/flow?format={form}")
    assert (answer.status_code, answer.mimetype) == (200, mimetype)
    assert answer.text.startswith(begin)
    assert "s3cret" not in answer.text
    if form == "json":
        assert answer.json["steps"]["create-port"]["state"] == "RUNNING"
        assert len(answer.json["graph"]["nodes"]) > 3
    assert world.ask("GET", f"operations/{operation_id}/flow?format=png").status_code == 400


def test_waiting(world: World) -> None:
    instance_id = world.created()
    operation_id = operation_of(world, instance_id)
    began = time.monotonic()
    waited = world.ask("GET", f"operations/{operation_id}/wait?timeout=0.1")
    assert waited.json["operation"]["done"] is False
    assert time.monotonic() - began < 5
    threading.Timer(0.1, world.finish, (instance_id,)).start()
    waited = world.ask("GET", f"operations/{operation_id}/wait?timeout=30")
    assert waited.json["operation"]["done"] is True
    assert world.ask("GET", f"operations/{operation_id}/wait").json["operation"]["state"] == "SUCCESS"
    for bad in ("x", "-1", "nan"):
        assert world.ask("GET", f"operations/{operation_id}/wait?timeout={bad}").status_code == 400


def events(lines: Iterator[bytes]) -> Iterator[tuple[str, dict[str, object]]]:
    for chunk in lines:
        if not chunk.startswith(b":"):
            kind, data = chunk.decode().strip().split("\n")
            yield kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_events_until_the_end(world: World) -> None:
    instance_id = world.created()
    operation_id = operation_of(world, instance_id)
    begin_flow(world, operation_id)
    answer = world.ask("GET", f"operations/{operation_id}/events", buffered=False)
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    told = events(answer.iter_encoded())
    kind, step = next(told)
    assert (kind, step["name"], step["state"]) == ("step", "create-port", "RUNNING")
    kind, operation = next(told)
    assert (kind, operation["state"], operation["done"]) == ("operation", "RUNNING", False)
    step_done(world)
    assert next(told)[1]["state"] == "SUCCESS"
    world.finish(instance_id)
    assert next(told)[1]["state"] == "SUCCESS"
    assert [kind for kind, _ in told] == ["end"]
    answer.close()
    threads = lambda: [thread for thread in threading.enumerate() if thread.name == "operation-feed"]  # noqa: E731
    wait_for(lambda: not threads(), 10, "the feed's thread to end")


def test_silence_is_filled_and_viewers_are_limited(world: World) -> None:
    world.conf.set_override("event_heartbeat", 0.1, "api")
    world.app.extensions["dbflow.feed"]._seats.most = 1
    operation_id = operation_of(world, world.created())
    answer = world.ask("GET", f"operations/{operation_id}/events", buffered=False)
    stream = answer.iter_encoded()
    first = next(one for one in stream if not one.startswith(b":"))
    assert first.startswith(b"event: operation")
    assert next(stream).startswith(b":")
    assert world.ask("GET", f"operations/{operation_id}/events").status_code == 413
    answer.close()
    unread = world.ask("GET", f"operations/{operation_id}/events", buffered=False)
    assert unread.status_code == 200
    unread.close()
    assert world.app.extensions["dbflow.feed"]._viewers == {}
