# SPDX-License-Identifier: Apache-2.0
"""Killed agents, brokers that go away, doubled, forged and broken messages: nothing is done twice, nothing hangs."""

import pathlib
import time
import uuid
from typing import Any

import kombu
import pytest

from dbflow.crypto import new_message_key, seal_message
from dbflow.messaging import wire
from dbflow.messaging.connection import connection, user_of
from dbflow.messaging.errors import GuestLost, GuestUnreachable
from dbflow.messaging.layout import HEARTBEAT, Layout
from tests.guests.asking import PATIENCE, TASKS, Field, request
from tests.guests.process import GuestProcess
from tests.waiting import wait_for


def lines(path: pathlib.Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def publish(
    field: Field, exchange: kombu.Exchange, key: str, body: Any, guest: GuestProcess | None = None, **properties: Any
) -> None:
    """As the control plane could, or a guest."""
    url = field.url_of(guest.instance_id) if guest else field.url
    if guest:
        properties["user_id"] = user_of(url)
    with connection(url) as conn:
        kombu.Producer(conn.channel()).publish(body, exchange=exchange.name, routing_key=key, **properties)


def begin_slow(field: Field, guest: GuestProcess, asker: Any, task: str = "Slow") -> tuple[Any, Any, pathlib.Path]:
    """(request, future, file) of a slow task that has begun, as its asker knows; touch file + ".gate" to let it end."""
    path = field.root / "trace"
    step = request(guest.instance_id, task, path=str(path), gate=f"{path}.gate")
    future = asker.submit(step)
    _taken(asker, step)
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the slow task")
    return step, future, path


def _taken(asker: Any, step: Any) -> None:
    wait_for(lambda: asker._pending[str(step.id)].accepted, PATIENCE, "the guest to have told that it took it")


def open_gate(path: pathlib.Path) -> None:
    pathlib.Path(f"{path}.gate").touch()


def test_agent_killed_in_a_task_that_can_not_be_repeated(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    _step, future, path = begin_slow(field, guest, asker)
    guest.kill()
    guest.start()
    assert future.result(PATIENCE).check("guest.journal.Interrupted")
    assert lines(path) == ["begin"]


def test_what_waited_behind_it_when_the_agent_was_killed_is_done(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    _step, future, path = begin_slow(field, guest, asker)
    behind = field.root / "behind"
    queued = request(guest.instance_id, "Slow", path=str(behind), gate=f"{behind}.gate")
    answer = asker.submit(queued)
    _taken(asker, queued)
    guest.kill()
    open_gate(behind)
    guest.start()
    assert future.result(PATIENCE).check("guest.journal.Interrupted")
    assert answer.result(PATIENCE) == "slow"
    assert (lines(path), lines(behind)) == (["begin"], ["begin", "end"])


def test_agent_killed_in_a_resumable_task(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    _step, future, path = begin_slow(field, guest, asker, "SlowAgain")
    guest.kill()
    open_gate(path)
    guest.start()
    assert future.result(PATIENCE) == "slow"
    assert lines(path) == ["begin", "begin", "end"]


def test_nothing_unfinished_is_run_unless_asked_again(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    _step, _future, path = begin_slow(field, guest, asker, "SlowAgain")
    asker.stop()
    guest.kill()
    open_gate(path)
    guest.start()
    other = field.dispatcher()
    assert other.call(guest.instance_id, f"{TASKS}.Write", {"path": f"{path}2", "word": "x"}, PATIENCE) == "x"
    assert lines(path) == ["begin"]


def test_agent_gone_for_good(field: Field) -> None:
    asker, guest = field.dispatcher(guest_lost_after=1.5), field.guest()
    _step, future, _path = begin_slow(field, guest, asker)
    guest.kill()
    assert isinstance(future.result(PATIENCE).exception, GuestLost)


def test_guest_that_never_takes_the_request(field: Field) -> None:
    asker, guest = field.dispatcher(pending_timeout=1.5), field.guest(start=False)
    path = field.root / "trace"
    future = asker.submit(request(guest.instance_id, "Write", path=str(path), word="late"))
    why = future.result(PATIENCE).exception
    assert isinstance(why, GuestUnreachable)
    assert not isinstance(why, GuestLost)
    guest.start()  # what was asked is void by now, and must not be done after the flow has moved on
    assert field.dispatcher().call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    assert lines(path) == []


def test_a_second_asker_takes_over_a_running_task(field: Field) -> None:
    first, second, guest = field.dispatcher(), field.dispatcher(), field.guest()
    step, _future, path = begin_slow(field, guest, first)
    first.stop()
    taken = second.submit(request(guest.instance_id, "Slow", atom=step.id.atom, epoch=2, **_arguments(path)))
    open_gate(path)
    assert taken.result(PATIENCE) == "slow"
    assert lines(path) == ["begin", "end"]


def test_a_finished_task_is_answered_again(field: Field) -> None:
    first, second, guest = field.dispatcher(), field.dispatcher(), field.guest()
    path = field.root / "trace"
    step = request(guest.instance_id, "Write", path=str(path), word="once")
    assert first.submit(step).result(PATIENCE) == "once"
    guest.kill()
    guest.start()
    assert second.submit(step).result(PATIENCE) == "once"
    assert lines(path) == ["once"]


def test_stale_epoch_is_refused_and_takes_nothing_over(field: Field) -> None:
    stale, current, guest = field.dispatcher(), field.dispatcher(), field.guest()
    path = field.root / "trace"
    step = request(guest.instance_id, "Slow", epoch=7, **_arguments(path))
    future = current.submit(step)
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the slow task")
    old = stale.submit(request(guest.instance_id, "Slow", atom=step.id.atom, epoch=6, **_arguments(path)))
    assert old.result(PATIENCE).check("guest.journal.StaleRequest")
    open_gate(path)
    assert future.result(PATIENCE) == "slow"


def test_older_attempt_is_refused(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path = field.root / "trace"
    second = request(guest.instance_id, "Write", attempt=2, path=str(path), word="second")
    assert asker.submit(second).result(PATIENCE) == "second"
    first = request(guest.instance_id, "Write", atom=second.id.atom, attempt=1, path=str(path), word="first")
    assert asker.submit(first).result(PATIENCE).check("guest.journal.StaleRequest")
    assert lines(path) == ["second"]


def test_doubled_requests_are_done_once(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path = field.root / "trace"
    step = request(guest.instance_id, "Write", path=str(path), word="once")
    key = field.keys[guest.instance_id]
    name = asker._name

    def copy() -> None:
        publish(
            field,
            Layout(field.exchange).down,
            guest.instance_id,
            wire.seal_request(key, step, name),
            type=wire.REQUEST,
            correlation_id=str(step.id),
            reply_to=name,
        )

    future = asker.submit(step)
    for _ in range(5):
        copy()
    assert future.result(PATIENCE) == "once"
    late = asker.stats["late"]
    copy()
    wait_for(lambda: asker.stats["late"] > late, PATIENCE, "the answer to a copy to be counted")
    assert asker.call(guest.instance_id, f"{TASKS}.Write", {"path": str(path), "word": "after"}, PATIENCE) == "after"
    assert lines(path) == ["once", "after"]


def test_garbage_ends_neither_side(field: Field) -> None:
    asker, guest = field.dispatcher(on_heartbeat=lambda _instance_id, _body: None), field.guest()
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    layout, other = Layout(field.exchange), new_message_key()
    _step, future, path = begin_slow(field, guest, asker)
    known = str(_step.id)
    bodies: list[Any] = [
        {},
        [],
        "text",
        {"sealed": "AAAA"},
        {"sealed": 7},
        {"state": "SUCCESS", "data": {"result": 1}},
        seal_message(other, {"state": "SUCCESS", "data": {"result": "forged"}}, "up", guest.instance_id),
        wire.seal_response(other, wire.SUCCESS, {"result": "forged"}, guest.instance_id, known, asker._name),
        "x" * 1_500_000,
    ]
    for body in bodies:
        for properties in (
            {"type": wire.RESPONSE, "correlation_id": known},
            {"type": wire.RESPONSE},
            {"type": wire.HEARTBEAT},
            {"type": wire.HEARTBEAT, "headers": {"instance": guest.instance_id}},
            {},
        ):
            publish(field, layout.up, asker._name, body, guest, **properties)
            publish(field, layout.up, HEARTBEAT, body, guest, **properties)
            publish(field, layout.down, guest.instance_id, body, type=wire.REQUEST, reply_to="nobody", **_id(known))
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "alive"}, PATIENCE) == "alive"
    assert not future.done()
    open_gate(path)
    assert future.result(PATIENCE) == "slow"
    assert asker.stats["forged"] >= 1
    assert asker.stats["odd"] >= 1
    assert asker.stats["heartbeats_refused"] >= 1
    assert lines(path) == ["begin", "end"]


def test_heartbeats_can_not_be_replayed_or_forged(field: Field) -> None:
    heard: list[dict[str, Any]] = []
    asker, guest = field.dispatcher(on_heartbeat=lambda _instance_id, body: heard.append(body)), field.guest()
    wait_for(lambda: len(heard) > 1, PATIENCE, "heartbeats")
    guest.stop()
    key, refused = field.keys[guest.instance_id], asker.stats["heartbeats_refused"]
    boot, number = heard[-1]["sequence"]
    newer = {**heard[-1], "sequence": [boot, number + 1], "service_status": "CRASHED"}
    attempts = [
        wire.seal_heartbeat(key, heard[-1], guest.instance_id),
        wire.seal_heartbeat(new_message_key(), newer, guest.instance_id),
        wire.seal_heartbeat(key, newer, str(uuid.uuid4())),
    ]
    for body in attempts:
        publish(
            field,
            Layout(field.exchange).up,
            HEARTBEAT,
            body,
            guest,
            type=wire.HEARTBEAT,
            headers={wire.INSTANCE_HEADER: guest.instance_id},
        )
    wait_for(lambda: asker.stats["heartbeats_refused"] == refused + 3, PATIENCE, "all three to be refused")
    told = [tuple(body["sequence"]) for body in heard]
    assert len(told) == len(set(told))
    assert "CRASHED" not in {body["service_status"] for body in heard}


@pytest.mark.parametrize("seconds", [4.0])
def test_agent_stopped_for_a_while_goes_on(field: Field, seconds: float) -> None:
    asker, guest = field.dispatcher(guest_lost_after=30), field.guest()
    _step, future, path = begin_slow(field, guest, asker)
    assert guest.process is not None
    guest.process.send_signal(19)
    until = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > until, seconds + 5, "the pause to pass")
    guest.process.send_signal(18)
    open_gate(path)
    assert future.result(PATIENCE) == "slow"
    assert lines(path) == ["begin", "end"]


def _arguments(path: pathlib.Path) -> dict[str, str]:
    return {"path": str(path), "gate": f"{path}.gate"}


def _id(request_id: str) -> dict[str, str]:
    return {"correlation_id": request_id}
