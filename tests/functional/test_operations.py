# SPDX-License-Identifier: Apache-2.0
"""Operations that people interfere with, and creates that fail: nothing is left, and one is told why."""

import contextlib
import fcntl
import json
import socket
import threading
from collections.abc import Iterator
from concurrent import futures

import pytest

from tests.functional.stack import Stack, mysql, new_password
from tests.functional.stack.client import PATIENCE
from tests.functional.stack.faults import Held
from tests.waiting import wait_for

INSTALL = "guest.install-datastore.execute.before"
SERVER = "create-server.execute.called"
EMBEDDED, REAL = (pytest.mark.parametrize("stack", [kind], indirect=True) for kind in ("embedded", "real"))
"""For tests of what does not depend on the parts."""


def test_delete_while_it_is_built(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with stack.faults.holding(INSTALL) as held:
            instance_id, create = client.create("unwanted")
            held.reached()
            assert client.show(instance_id)["status"] == "BUILD"
            delete = client.delete(instance_id)
            stack.wait_stopping(create)
        client.wait_operation(create, "REVERTED")
        client.wait_operation(delete)
        client.ask("GET", f"/instances/{instance_id}", status=404)


@REAL
def test_a_released_claim_is_the_other_conductors(stack: Stack) -> None:
    client, admin = stack.client(), stack.admin()
    with stack.nothing_left():
        with stack.faults.holding(INSTALL) as held:
            instance_id, create = client.create("handed-on")
            held.reached()
            first = admin.operation(create)["conductor"]
            admin.do(create, "release")
            wait_for(lambda: admin.operation(create)["conductor"] != first, PATIENCE, "the other conductor")
        assert client.wait_operation(create)["attempts"] == 1
        client.deleted(instance_id)


def test_delete_at_once(stack: Stack) -> None:
    """The create may not even have begun."""
    client = stack.client()
    with stack.nothing_left():
        instance_id, _ = client.create("never")
        first = client.delete(instance_id)
        assert client.delete(instance_id) == first
        client.wait_operation(first)
        client.ask("GET", f"/instances/{instance_id}", status=404)


def test_cancel(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with stack.nothing_left_but_rows():
            with stack.faults.holding(INSTALL) as held:
                instance_id, create = client.create("cancelled")
                held.reached()
                client.do(create, "cancel")
                stack.wait_stopping(create)
            ended = client.wait_operation(create, "REVERTED")
            assert {step["state"] for step in ended["steps"]} <= {"REVERTED", "PENDING"}
        shown = client.show(instance_id)
        assert shown["status"] == "ERROR"
        assert "cancelled" in shown["fault"]["message"]
        client.deleted(instance_id)


def test_suspend_and_resume(stack: Stack) -> None:
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        with stack.faults.holding(INSTALL) as held:
            instance_id, create = client.create("paused", users=[{"name": "u", "password": password}])
            held.reached()
            client.do(create, "suspend")
            stack.wait_stopping(create)
        client.wait_operation(create, "SUSPENDED")
        assert client.show(instance_id)["status"] == "BUILD"
        assert client.raw("POST", f"/operations/{create}/suspend").status_code == 409
        client.do(create, "resume")
        ended = client.wait_operation(create)
        assert {step["state"] for step in ended["steps"]} == {"SUCCESS"}
        mysql(client.show(instance_id), "u", password).close()
        client.deleted(instance_id)


def test_delete_of_a_suspended_create(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with stack.faults.holding(SERVER) as held:
            instance_id, create = client.create("paused")
            held.reached()
            client.do(create, "suspend")
            stack.wait_stopping(create)
        client.wait_operation(create, "SUSPENDED")
        client.wait_operation(client.delete(instance_id))
        assert client.operation(create)["state"] == "REVERTED"


def test_a_server_that_does_not_start(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with stack.nothing_left_but_rows(), _doomed(stack) as (instance_id, create, held):
            held.let_go()
            client.wait_operation(create, "REVERTED")
        shown = client.show(instance_id)
        assert shown["status"] == "ERROR"
        message = shown["fault"]["message"]
        assert "Address already in use" in message
        assert "Traceback" not in json.dumps(shown)
        assert "ip" not in shown
        client.deleted(instance_id)


@REAL
def test_retry_of_what_could_not_be_undone(stack: Stack) -> None:
    """Somebody holds the instance's lock when the create is undone; it is parked, and goes on once retried."""
    client = stack.client()
    with stack.nothing_left():
        with stack.nothing_left_but_rows(), _doomed(stack) as (instance_id, create, held):
            with _locked(stack, instance_id):
                held.let_go()
                parked = client.wait_operation(create, "FAILED")
            assert "Could not be undone" in parked["error"]["message"]
            assert client.show(instance_id)["status"] == "ERROR"
            client.do(create, "retry")
            client.wait_operation(create, "REVERTED")
        client.deleted(instance_id)


@EMBEDDED
def test_delete_of_what_could_not_be_undone(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with _doomed(stack) as (instance_id, create, held), _locked(stack, instance_id):
            held.let_go()
            client.wait_operation(create, "FAILED")
        client.deleted(instance_id)


def test_two_creates_at_the_limit(stack: Stack) -> None:
    client, admin = stack.client(), stack.admin()
    admin.ask("PUT", f"/mgmt/quotas/{client.project}", {"quotas": {"instances": 1}})
    try:
        with stack.nothing_left():
            body = {"instance": {"name": "race", "flavorRef": "1", "volume": {"size": 1}}}
            start = threading.Barrier(4)

            def post() -> tuple[int, str]:
                start.wait()
                answer = client.raw("POST", "/instances", body)
                return answer.status_code, answer.text

            with futures.ThreadPoolExecutor(4) as pool:
                answers = [done.result() for done in [pool.submit(post) for _ in range(4)]]
            assert sorted(status for status, _ in answers) == [200, 413, 413, 413]
            (won,) = [json.loads(text)["instance"]["id"] for status, text in answers if status == 200]
            client.deleted(won)
    finally:
        admin.ask("PUT", f"/mgmt/quotas/{client.project}", {"quotas": {"instances": 100}})


@contextlib.contextmanager
def _doomed(stack: Stack) -> Iterator[tuple[str, str, Held]]:
    """A create, held before it starts its database server, whose port another program has: (instance id, operation
    id, what holds it)."""
    with stack.faults.holding(INSTALL) as held:
        instance_id, create = stack.client().create("doomed")
        held.reached()
        (address,) = (
            path.name
            for path in (stack.cloud / "addresses").iterdir()
            if path.name.count(".") == 3 and json.loads(path.read_text())["instance_id"] == instance_id
        )
        with socket.create_server((address, 3306)):
            yield instance_id, create, held


@contextlib.contextmanager
def _locked(stack: Stack, instance_id: str) -> Iterator[None]:
    """Hold the lock that the cloud works on an instance under."""
    path = stack.cloud / "locks" / instance_id

    def take() -> bool:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        held.append(file)
        return True

    held: list[object] = []
    wait_for(take, PATIENCE, "the lock")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        for file in held:
            file.close()  # type: ignore[attr-defined]
