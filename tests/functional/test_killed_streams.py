# SPDX-License-Identifier: Apache-2.0
"""Whoever has to do with a stream dies in the middle of it, and so does the store."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from swiftclient import client as swift_client

from tests.functional.sources import checksum, make
from tests.functional.stack import RealStack, Stack, new_password
from tests.functional.stack.client import PATIENCE
from tests.functional.stack.swift import CONTAINER, SwiftStack
from tests.servers import Swift
from tests.waiting import wait_for

SENDING, RECEIVING = "guest.stream.put.1", "guest.stream.get.1"
"""In the middle: the first segment has been sent, or read."""
LARGE = 20_000
"""KiB: three segments."""


@dataclasses.dataclass
class Place:
    """A stack and its store."""

    stack: Stack
    kill: Callable[[], None]
    """The store."""
    start: Callable[[], object]
    first: Callable[[str], Any]
    """When the first segment of a backup was written."""


@pytest.fixture(params=["file", "swift"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "file":
        stack: RealStack = request.getfixturevalue("real_stack")
        yield Place(stack, stack.object_server.kill9, stack.start, lambda backup_id: _of_file(stack, backup_id))
        return
    with (
        Swift(request.getfixturevalue("servers_base")) as swift,
        SwiftStack(request.getfixturevalue("images"), swift) as other,
    ):
        yield Place(other, swift.kill, swift.start, lambda backup_id: _of_object(other, swift, backup_id))


def _of_file(stack: RealStack, backup_id: str) -> int:
    (first,) = stack.objects.glob(f"*/*/{backup_id}/*/00000000")
    return first.stat().st_mtime_ns


def _of_object(stack: SwiftStack, swift: Swift, backup_id: str) -> str:
    first = next(name for name in stack.objects_of(backup_id) if name.endswith("/00000000"))
    connection = swift_client.Connection(swift.auth_url, swift.login["swift_username"], swift.password)
    written: str = connection.head_object(CONTAINER, first)["x-timestamp"]
    return written


def strike(stack: Stack, instance_id: str, operation: str) -> None:
    """Agent and conductor die; there is another agent, and another conductor has the operation."""
    agent = stack.agent(instance_id)
    assert agent is not None
    conductor = stack.admin().operation(operation)["conductor"]
    agent.kill()
    stack.kill_runner(operation)
    wait_for(lambda: stack.agent(instance_id) not in (None, agent), PATIENCE, "another agent")
    wait_for(lambda: stack.admin().operation(operation)["conductor"] != conductor, PATIENCE, "another conductor")


def test_all_die_in_the_middle_of_a_stream(place: Place) -> None:
    """It goes on with the segment that it was at; so does it when the store comes back."""
    stack, password = place.stack, new_password()
    client = stack.client()
    with stack.nothing_left():
        source = make(client, password, large=LARGE)
        wanted = checksum(client, source, password)
        stack.faults.record()
        with stack.faults.holding(SENDING) as held:
            backup_id, operation = client.back_up(source)
            held.reached()
            written = place.first(backup_id)
            strike(stack, source, operation)
            place.kill()
            held.let_go()
            log = stack.stream_log(source, backup_id)
            wait_for(lambda: "Retrying" in log.read_text(), PATIENCE, "a stream that tries again")
        place.start()
        client.wait_operation(operation)
        client.wait_backup(backup_id)
        assert place.first(backup_id) == written
        sent = [one for one in stack.faults.passed() if one.startswith("guest.stream.")]
        assert sent == ["guest.stream.send", *(f"guest.stream.put.{number}" for number in range(len(sent) - 1))]

        stack.faults.record()
        with stack.faults.holding(RECEIVING) as held:
            restored_id, operation = client.create("restored", restorePoint={"backupRef": backup_id})
            held.reached()
            strike(stack, restored_id, operation)
            held.let_go()
            client.wait_operation(operation)
        client.wait_healthy(restored_id)
        assert checksum(client, restored_id, password) == wanted
        read = [one for one in stack.faults.passed() if one.startswith("guest.stream.get.")]
        assert read == [f"guest.stream.get.{number}" for number in range(len(sent) - 2)]
        client.delete_backup(backup_id)
        client.deleted(source, restored_id)
