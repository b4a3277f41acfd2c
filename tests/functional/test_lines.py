# SPDX-License-Identifier: Apache-2.0
"""A request can be followed through the logs of API, conductor, guest and stream worker: every line has its ids."""

import json
import re
import uuid
from collections.abc import Iterable
from typing import TextIO

from tests.functional.stack import Stack
from tests.functional.stack.client import operation_of

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ [A-Z]+ (?P<name>\S+) "
    r"\[(?P<global>\S+) (?P<request>\S+) (?P<operation>\S+) (?P<user>-|\S+ \S+)\] (?P<message>.*)"
)
SAID = ("ready: ", "console: ")
"""What services say on standard output to whoever started them."""
TRACE = "Traceback (most recent call last):"


def lines(log: TextIO) -> list[re.Match[str]]:
    """Of a log, from here on; AssertionError for one without ids. A guest's traces belong to the line before them."""
    found: list[re.Match[str]] = []
    trace = False
    for number, line in enumerate(log.read().splitlines(), 1):
        match = LINE.match(line)
        trace = match is None and (trace or line == TRACE)
        assert match or trace or line.startswith(SAID), f"{log.name}, line {number}: {line}"
        found += [match] if match else []
    return found


def _about(lines: Iterable[re.Match[str]], text: str) -> list[re.Match[str]]:
    """Those that have the text between their brackets."""
    return [line for line in lines if text in line.group(0).partition("]")[0]]


def _ids(lines: Iterable[re.Match[str]]) -> set[tuple[str, str]]:
    """(request, operation)"""
    return {(line["request"], line["operation"]) for line in lines}


def test_from_the_request_to_the_guest(stack: Stack) -> None:
    client, asked = stack.client(), f"req-{uuid.uuid4()}"
    begun = {path: path.stat().st_size for path in stack.logs()}
    with stack.nothing_left(), stack.faults.holding("guest.stream.send") as held:
        instance_id = client.created("followed")["id"]
        body = {"backup": {"name": "followed", "instance": instance_id}}
        answer = client.raw("POST", "/backups", body, **{"X-Openstack-Request-Id": asked})
        backup_id, operation_id = answer.json()["backup"]["id"], operation_of(answer)
        own = answer.headers["X-Openstack-Request-Id"]
        held.reached()
        with stack.stream_log(instance_id, backup_id).open() as log:  # read although it will have been removed
            held.let_go()
            client.wait_operation(operation_id)
            worker = lines(log)
        listed = client.raw("GET", f"/instances/{instance_id}/databases")
        assert listed.status_code == 200, json.dumps(listed.json())
        with (stack.cloud / "servers" / instance_id / "agent.log").open() as log:
            agent = lines(log)
        client.delete_backup(backup_id)
        client.deleted(instance_id)
    services = []
    for path, size in begun.items():
        with path.open() as log:
            log.seek(size)
            services += lines(log)
    (accepted,) = [line for line in _about(services, own) if " accepted: " in line["message"]]
    assert accepted["message"].startswith(f"operation {operation_id} accepted: backup.create of ")
    assert (accepted["global"], accepted["request"]) == (asked, own)
    assert accepted["user"].endswith(f" {client.project}")
    # The operation is known by the id that its user gave.
    run = _about(services, operation_id)
    assert any("attempt 1" in line["message"] for line in run)
    assert (asked, operation_id) in _ids(run)
    assert _ids(run) <= {(asked, operation_id), ("-", operation_id)}
    done = _about(agent, operation_id)
    assert any("backup" in line["message"] for line in done)
    assert _ids(done) == _ids(worker) == {(asked, operation_id)}
    assert _about(agent, listed.headers["X-Openstack-Request-Id"])
