# SPDX-License-Identifier: Apache-2.0
"""A dispatcher and real agent processes: the ordinary things."""

import json
import pathlib
import signal
import time
from typing import Any

import pytest
from taskflow.types import failure

from dbflow.messaging.errors import GuestOverdue, GuestRefused, GuestUnreachable
from dbflow.messaging.wire import REVERT
from guest.main import GRACE
from tests.guests.asking import PATIENCE, TASKS, Field, request
from tests.waiting import wait_for


def lines(path: pathlib.Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_call_returns_what_the_task_returned(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "grüß dich"}, PATIENCE) == "grüß dich"


def test_call_says_how_the_guest_refused(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    with pytest.raises(GuestRefused, match="Database shop is there") as caught:
        asker.call(guest.instance_id, f"{TASKS}.Taken", {"name": "shop"}, PATIENCE)
    assert caught.value.error == "AlreadyExists"
    assert "DatastoreError" in caught.value.errors


def test_call_of_a_guest_that_is_not_there(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest(start=False)
    began = time.monotonic()
    with pytest.raises(GuestUnreachable):
        asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, 1.0)
    assert time.monotonic() - began < 10


def test_request_waits_for_a_guest_that_boots(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest(start=False)
    future = asker.submit(request(guest.instance_id, "Write", path=str(field.root / "f"), word="one"))
    guest.start()
    assert future.result(PATIENCE) == "one"
    assert lines(field.root / "f") == ["one"]


def test_only_guest_tasks_are_run(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    for path in ("os.system", "guest.main.main", f"{TASKS}.trace", f"{TASKS}.GuestTask", "tests.guests.process.X", "x"):
        with pytest.raises(GuestRefused) as caught:
            asker.call(guest.instance_id, path, {}, PATIENCE)
        assert caught.value.error == "UnknownTask"


def test_secrets_are_neither_answered_nor_logged(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    future = asker.submit(request(guest.instance_id, "Leaky", password="very-secret-7"))
    answer = future.result(PATIENCE)
    assert isinstance(answer, failure.Failure)
    assert "log in with ***" in answer.exception_str
    assert "very-secret-7" not in json.dumps(answer.to_dict())
    assert "very-secret-7" not in guest.log
    assert b"very-secret-7" not in b"".join(path.read_bytes() for path in guest.data.iterdir() if path.is_file())


@pytest.mark.parametrize(("task", "arguments"), [("Huge", {"size": 2_000_000}), ("Odd", {})])
def test_unfit_results_fail_the_task(field: Field, task: str, arguments: dict[str, Any]) -> None:
    asker, guest = field.dispatcher(), field.guest()
    with pytest.raises(GuestRefused) as caught:
        asker.call(guest.instance_id, f"{TASKS}.{task}", arguments, PATIENCE)
    assert caught.value.error == "UnfitAnswer"
    assert asker.call(guest.instance_id, f"{TASKS}.Huge", {"size": 300_000}, PATIENCE) == "x" * 300_000


def test_progress_arrives_in_order_and_not_after_the_end(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    gate, seen = field.root / "gate", []
    future = asker.submit(
        request(guest.instance_id, "Steps", gate=str(gate)), lambda _event, details: seen.append(details["progress"])
    )
    wait_for(lambda: seen, PATIENCE, "progress")
    assert seen == [0.25]
    gate.touch()
    assert future.result(PATIENCE) == "stepped"
    assert seen in ([0.25], [0.25, 0.75])


def test_changes_run_one_at_a_time_and_reads_beside_them(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path, gate = field.root / "f", field.root / "gate"
    slow = asker.submit(request(guest.instance_id, "SlowAgain", path=str(path), gate=str(gate)))
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the slow task")
    second = asker.submit(request(guest.instance_id, "Write", path=str(path), word="second"))
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "now"}, PATIENCE) == "now"
    assert not second.done()
    gate.touch()
    assert (slow.result(PATIENCE), second.result(PATIENCE)) == ("slow", "second")
    assert lines(path) == ["begin", "end", "second"]


def test_a_stream_is_in_nobodys_way_and_its_revert_breaks_it_off(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path, other = field.root / "f", field.root / "g"
    first = request(guest.instance_id, "Stream", path=str(path))
    asker.submit(first)
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the stream")
    assert asker.submit(request(guest.instance_id, "Write", path=str(other), word="one")).result(PATIENCE) == "one"
    again = request(guest.instance_id, "Stream", atom=first.id.atom, action=REVERT, attempt=2, path=str(path))
    assert asker.submit(again).result(PATIENCE) is None
    assert lines(path) == ["begin", "end", "revert"]


def test_a_stream_breaks_off_one_that_was_given_up(field: Field) -> None:
    """Its revert may never have come here."""
    asker, guest = field.dispatcher(), field.guest()
    path, other = field.root / "f", field.root / "g"
    old = asker.submit(request(guest.instance_id, "Stream", path=str(path)))
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the stream")
    new = request(guest.instance_id, "Stream", path=str(other))
    asker.submit(new)
    wait_for(lambda: lines(other) == ["begin"], PATIENCE, "the other one")
    assert lines(path) == ["begin", "end"]
    told = old.result(PATIENCE)
    assert isinstance(told, failure.Failure)
    assert "broken off" in told.exception_str
    again = request(guest.instance_id, "Stream", atom=new.id.atom, action=REVERT, attempt=2, path=str(other))
    assert asker.submit(again).result(PATIENCE) is None


def test_revert_waits_for_the_execution_it_undoes(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path, gate = field.root / "f", field.root / "gate"
    first = request(guest.instance_id, "Slow", path=str(path), gate=str(gate))
    asker.submit(first)
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the slow task")
    again = request(
        guest.instance_id, "Slow", atom=first.id.atom, action=REVERT, attempt=2, path=str(path), gate=str(gate)
    )
    revert = asker.submit(again)
    gate.touch()
    assert revert.result(PATIENCE) is None
    assert lines(path) == ["begin", "end", "revert"]


@pytest.mark.parametrize(("needs", "undone", "tries"), [(3, True, 3), (99, False, 4)])
def test_a_revert_that_fails_is_tried_again(field: Field, needs: int, undone: bool, tries: int) -> None:
    asker, guest, path = field.dispatcher(), field.guest(), field.root / "f"
    asked = request(guest.instance_id, "Stubborn", action=REVERT, path=str(path), tries=needs)
    answer = asker.submit(asked).result(PATIENCE)
    assert isinstance(answer, failure.Failure) is not undone
    assert lines(path) == ["try"] * tries


def test_a_step_overtaken_by_its_revert_is_not_begun(field: Field) -> None:
    taken: list[int] = []
    asker = field.dispatcher(on_heartbeat=lambda _instance_id, body: taken.append(body["in_flight"]))
    guest = field.guest()
    path, gate = field.root / "f", field.root / "gate"
    asker.submit(request(guest.instance_id, "Slow", path=str(path), gate=str(gate)))
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the slow task")
    step = request(guest.instance_id, "Write", path=str(path), word="step")
    late = asker.submit(step)
    undo = asker.submit(
        request(guest.instance_id, "Write", atom=step.id.atom, action=REVERT, attempt=2, path=str(path), word="step")
    )
    wait_for(lambda: 3 in taken, PATIENCE, "the guest to have taken all three")
    gate.touch()
    assert undo.result(PATIENCE) is None
    assert late.result(PATIENCE).check("guest.journal.StaleRequest")
    assert lines(path) == ["begin", "end", "unstep"]


def test_deadline_ends_what_takes_too_long(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path, gate = field.root / "f", field.root / "gate"
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    step = request(guest.instance_id, "Slow", path=str(path), gate=str(gate))
    future = asker.submit(step)
    pending = asker._pending[str(step.id)]
    wait_for(lambda: pending.accepted, PATIENCE, "the guest to have taken it")
    assert not future.done()
    pending.made -= step.deadline  # so long ago; one that is not taken by its deadline ends as another kind
    assert isinstance(future.result(PATIENCE).exception, GuestOverdue)
    gate.touch()
    wait_for(lambda: asker.stats["late"], PATIENCE, "the late answer to be counted")


def test_heartbeats_tell_of_changes_at_once(field: Field) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    field.dispatcher(on_heartbeat=lambda instance_id, body: heard.append((instance_id, body)))
    guest = field.guest()
    wait_for(lambda: heard, PATIENCE, "the first heartbeat")
    assert heard[0][0] == guest.instance_id
    assert heard[0][1]["service_status"] == "NEW"
    assert heard[0][1]["volume_used"] >= 0
    (guest.data / "status").write_text("HEALTHY")
    wait_for(lambda: heard[-1][1]["service_status"] == "HEALTHY", PATIENCE, "the change")
    sequences = [body["sequence"] for _, body in heard]
    assert sequences == sorted(sequences)


def test_sigterm_lets_a_running_task_finish(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path, gate = field.root / "f", field.root / "gate"
    future = asker.submit(request(guest.instance_id, "Slow", path=str(path), gate=str(gate)))
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the slow task")
    assert guest.process is not None
    guest.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in guest.log, PATIENCE, "the agent to notice")
    gate.touch()
    assert future.result(PATIENCE) == "slow"
    assert guest.process.wait(PATIENCE) == 0


def test_an_idle_agent_stops_at_once(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    began = time.monotonic()
    assert guest.stop() == 0
    assert time.monotonic() - began < GRACE, "nothing runs that it could wait for"


def test_delete_guest_removes_the_queue_and_fails_its_requests(field: Field) -> None:
    asker, guest = field.dispatcher(pending_timeout=60), field.guest(start=False)
    asker.declare_guest(guest.instance_id)
    future = asker.submit(request(guest.instance_id, "Echo", text="x"))
    asker.delete_guest(guest.instance_id)
    asker.delete_guest(guest.instance_id)
    assert isinstance(future.result(5).exception, GuestUnreachable)
