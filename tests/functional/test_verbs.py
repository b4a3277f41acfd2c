# SPDX-License-Identifier: Apache-2.0
"""Verbs and deletes on operations that wait, run, turn back or are parked; each is held where it is meant to be."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow.cmd.manage import main
from tests.functional.stack import Client, RealStack, Stack

CLAIMED, INSTALL = "operation.claimed", "guest.install-datastore.execute.before"
TURNED = "create-server.revert.called"
EMBEDDED = pytest.mark.parametrize("stack", ["embedded"], indirect=True)
"""For tests of what does not depend on the parts."""


def _refused(client: Client, operation_id: str, *verbs: str) -> None:
    for verb in verbs:
        answer = client.raw("POST", f"/operations/{operation_id}/{verb}")
        assert answer.status_code == 409, (verb, answer.text)
        assert f"can't {verb}: " in answer.json()["detail"]


def _gone(client: Client, instance_id: str) -> None:
    client.ask("GET", f"/instances/{instance_id}", status=404)


@EMBEDDED
def test_waiting(stack: Stack) -> None:
    """Posted and claimed, but not begun."""
    client = stack.client()
    with stack.nothing_left():
        with stack.faults.holding(CLAIMED) as held:
            instance_id, create = client.create("waits")
            held.reached()
            assert client.operation(create)["state"] == "ACCEPTED"
            _refused(client, create, "resume", "retry")
            client.do(create, "suspend")
            client.do(create, "resume")
            client.do(create, "suspend")
        client.wait_operation(create, "SUSPENDED")
        assert client.operation(create)["steps"] == []
        _refused(client, create, "suspend", "retry")
        client.do(create, "cancel")
        client.wait_operation(create, "REVERTED")
        client.deleted(instance_id)


def test_deleted_while_it_waits(embedded_stack: Stack) -> None:
    stack, client = embedded_stack, embedded_stack.client()
    with stack.nothing_left():
        with stack.faults.holding(CLAIMED) as held:
            instance_id, create = client.create("waits")
            held.reached()
            delete = client.delete(instance_id)
        client.wait_operation(create, "REVERTED")
        client.wait_operation(delete)
        _gone(client, instance_id)


def test_waiting_behind_another(stack: Stack) -> None:
    """A delete behind the create that it interrupts: suspended it lets the create turn back, and then waits."""
    client = stack.client()
    with stack.nothing_left():
        with stack.faults.holding(INSTALL) as held:
            instance_id, create = client.create("interrupted")
            held.reached()
            delete = client.delete(instance_id)
            _refused(client, delete, "cancel", "resume", "retry")
            _refused(client, create, "cancel", "suspend", "resume", "retry")
            client.do(delete, "suspend")
            stack.wait_stopping(create)
        client.wait_operation(create, "REVERTED")
        client.wait_operation(delete, "SUSPENDED")
        assert client.show(instance_id)["status"] == "SHUTDOWN"
        client.do(delete, "resume")
        client.wait_operation(delete)
        _gone(client, instance_id)


@contextlib.contextmanager
def _turning_back(stack: Stack, name: str) -> Iterator[tuple[str, str]]:
    """A cancelled create, held in its way back: (instance, operation)."""
    client = stack.client()
    with stack.faults.holding(TURNED) as back:
        with stack.faults.holding(INSTALL) as held:
            instance_id, create = client.create(name)
            held.reached()
            client.do(create, "cancel")
            stack.wait_stopping(create)
        back.reached()
        yield instance_id, create


@EMBEDDED
def test_turning_back(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with _turning_back(stack, "back") as (instance_id, create):
            _refused(client, create, "cancel", "suspend", "resume", "retry")
            delete = client.delete(instance_id)
        client.wait_operation(create, "REVERTED")
        client.wait_operation(delete)
        _gone(client, instance_id)


def _parked(stack: Stack) -> tuple[str, str]:
    """A create that failed, and whose server could not be removed: (instance, operation)."""
    client = stack.client()
    stack.faults.arm(INSTALL, "raise")
    stack.faults.arm(TURNED, "raise")
    instance_id, create = client.create("parked")
    parked = client.wait_operation(create, "FAILED")
    assert "Could not be undone: step create-server" in parked["error"]["message"]
    return instance_id, create


@EMBEDDED
def test_parked(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with stack.nothing_left_but_rows():
            instance_id, create = _parked(stack)
            _refused(client, create, "cancel", "suspend", "resume")
            assert client.operation(create)["actions"] == ["retry"]
            client.do(create, "retry")
            client.wait_operation(create, "REVERTED")
        _refused(client, create, "cancel", "suspend", "resume", "retry")
        client.deleted(instance_id)


def test_deleted_when_it_is_parked(embedded_stack: Stack) -> None:
    stack, client = embedded_stack, embedded_stack.client()
    with stack.nothing_left():
        instance_id, create = _parked(stack)
        client.deleted(instance_id)
        answer = client.raw("POST", f"/operations/{create}/retry")
        assert (answer.status_code, "is gone" in answer.json()["detail"]) == (409, True)


@EMBEDDED
def test_deleted_while_it_changes(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        instance_id = client.created("changes")["id"]
        with stack.faults.holding("guest.stop-datastore.execute.before") as held:
            resize = client.act(instance_id, {"resize": {"flavorRef": "2"}})
            held.reached()
            delete = client.delete(instance_id)
            stack.wait_stopping(resize)
        client.wait_operation(resize, "REVERTED")
        client.wait_operation(delete)
        _gone(client, instance_id)


def test_from_the_command_line(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config-file", str(stack.conf)] if isinstance(stack, RealStack) else ["--state-dir", str(stack.state)]

    def manage(verb: str, operation_id: str) -> Any:
        capsys.readouterr()
        assert main([*where, "--format", "json", "operation", verb, operation_id]) == 0
        return json.loads(capsys.readouterr().out)

    client = stack.client()
    with stack.nothing_left():
        with stack.faults.holding(INSTALL) as held:
            instance_id, create = client.create("by-hand")
            held.reached()
            assert manage("suspend", create)["requested"] == "suspend"
            stack.wait_stopping(create)
        client.wait_operation(create, "SUSPENDED")
        assert manage("resume", create)["state"] == "ACCEPTED"
        client.wait_operation(create)  # the leader posts it
        client.deleted(instance_id)
        with stack.nothing_left_but_rows():
            instance_id, create = _parked(stack)
            assert manage("retry", create)["state"] == "ACCEPTED"
            client.wait_operation(create, "REVERTED")
        client.deleted(instance_id)
