# SPDX-License-Identifier: Apache-2.0
"""A request can be followed through the logs of API, conductor and guest."""

import json
import pathlib
import re
import uuid

from tests.functional.stack import EmbeddedStack
from tests.functional.stack.client import operation_of

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ [A-Z]+ (?P<name>\S+) "
    r"\[(?P<global>\S+) (?P<request>\S+) (?P<operation>\S+) (?P<user>-|\S+ \S+)\] (?P<message>.*)"
)


def _lines(path: pathlib.Path, text: str) -> list[re.Match[str]]:
    """Those that have the text between their brackets."""
    found = [LINE.match(line) for line in path.read_text().splitlines()]
    return [line for line in found if line is not None and text in line.group(0).partition("]")[0]]


def test_from_the_request_to_the_guest(embedded_stack: EmbeddedStack) -> None:
    client, asked = embedded_stack.client(), f"req-{uuid.uuid4()}"
    body = {"instance": {"name": "followed", "flavorRef": "1", "volume": {"size": 1}}}
    answer = client.raw("POST", "/instances", body, **{"X-Openstack-Request-Id": asked})
    instance_id, operation_id = answer.json()["instance"]["id"], operation_of(answer)
    own = answer.headers["X-Openstack-Request-Id"]
    client.wait_operation(operation_id)
    try:
        log = embedded_stack.state / "dbflow.log"
        (accepted,) = [line for line in _lines(log, own) if " accepted: " in line["message"]]
        assert f"operation {operation_id} accepted: instance.create of {instance_id}" == accepted["message"]
        assert (accepted["global"], accepted["request"]) == (asked, own)
        assert accepted["user"].endswith(f" {client.project}")
        # The operation is known by the id that its user gave.
        run = _lines(log, operation_id)
        assert any("attempt 1" in line["message"] for line in run)
        assert {(line["request"], line["operation"]) for line in run} <= {(asked, operation_id), ("-", operation_id)}
        agent = next(embedded_stack.cloud.rglob(f"*{instance_id}*/agent.log"))
        done = _lines(agent, operation_id)
        assert any("Install" in line["message"] for line in done)
        assert {line["request"] for line in done} == {asked}
        before = len(_lines(agent, "req-"))
        listed = client.raw("GET", f"/instances/{instance_id}/databases")
        assert listed.status_code == 200, json.dumps(listed.json())
        call = listed.headers["X-Openstack-Request-Id"]
        assert _lines(agent, call)
        assert len(_lines(agent, "req-")) > before
    finally:
        client.wait_operation(client.delete(instance_id))
