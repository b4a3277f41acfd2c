# SPDX-License-Identifier: Apache-2.0
"""Seals and the protocol: what was made for one request is good for nothing else."""

import dataclasses
import json
import uuid
from typing import Any

import pytest
from taskflow.engines.worker_based import protocol
from taskflow.types import failure

from dbflow.crypto import BadSeal, new_message_key, seal_message
from dbflow.messaging import wire
from dbflow.messaging.errors import MessageTooLarge

KEY = new_message_key()
REQUEST = wire.GuestRequest(
    instance_id="i-1",
    id=wire.RequestId(str(uuid.uuid4()), wire.EXECUTE, 3),
    task="guest.tasks.x.Y",
    name="make it",
    arguments={"instance_id": "i-1", "password": "hunter2"},
    epoch=9,
)
RID = str(REQUEST.id)
WHY = failure.Failure.from_exception(ValueError("it broke"))


def test_a_request_is_taskflows() -> None:
    body = wire.unseal_request(KEY, wire.seal_request(KEY, REQUEST, "me"), "i-1", RID, "me")
    protocol.Request.validate(body)
    unit = protocol.Request.from_dict(body, task_uuid=RID)
    assert (unit.task_cls, unit.task_name, unit.action) == ("guest.tasks.x.Y", "make it", "execute")
    assert unit.arguments == {"arguments": dict(REQUEST.arguments), "task_uuid": RID}
    assert body["epoch"] == 9


@pytest.mark.parametrize("result", [None, {"a": [1]}, WHY])
def test_a_revert_carries_result_and_failures(result: Any) -> None:
    revert = dataclasses.replace(
        REQUEST, id=dataclasses.replace(REQUEST.id, action=wire.REVERT), result=result, failures={"x": WHY}
    )
    sealed = wire.seal_request(KEY, revert, "me")
    unit = protocol.Request.from_dict(wire.unseal_request(KEY, sealed, "i-1", str(revert.id), "me"))
    if isinstance(result, failure.Failure):
        assert unit.arguments["result"].exception_str == "it broke"
    else:
        assert unit.arguments["result"] == result
    assert unit.arguments["failures"]["x"].exception_str == "it broke"


OTHER_ID = str(dataclasses.replace(REQUEST.id, attempt=4))


@pytest.mark.parametrize(
    ("key", "instance_id", "request_id", "asker"),
    [
        (new_message_key(), "i-1", RID, "me"),
        (KEY, "i-2", RID, "me"),
        (KEY, "i-1", OTHER_ID, "me"),
        (KEY, "i-1", RID.replace("execute", "revert"), "me"),
        (KEY, "i-1", RID, "somebody"),
    ],
    ids=["another key", "another instance", "another attempt", "another action", "another asker"],
)
def test_seals_are_bound(key: bytes, instance_id: str, request_id: str, asker: str) -> None:
    with pytest.raises(BadSeal):
        wire.unseal_request(key, wire.seal_request(KEY, REQUEST, "me"), instance_id, request_id, asker)
    answer = wire.seal_response(KEY, wire.SUCCESS, {"result": 1}, "i-1", RID, "me")
    with pytest.raises(BadSeal):
        wire.unseal_response(key, answer, instance_id, request_id, asker)


def test_directions_and_types_are_bound() -> None:
    with pytest.raises(BadSeal):
        wire.unseal_response(KEY, wire.seal_request(KEY, REQUEST, "me"), "i-1", RID, "me")
    with pytest.raises(BadSeal):
        wire.unseal_heartbeat(KEY, wire.seal_response(KEY, wire.RUNNING, {}, "i-1", RID, "me"), "i-1")
    with pytest.raises(BadSeal):
        wire.unseal_heartbeat(KEY, wire.seal_heartbeat(KEY, {"at": 1.0, "sequence": [1, 1]}, "i-2"), "i-1")


def test_a_sealed_body_shows_nothing() -> None:
    assert "hunter2" not in json.dumps(wire.seal_request(KEY, REQUEST, "me"))
    assert "hunter2" not in repr(REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "9"},
        {"issued": None},
        {"action": "revert"},
        {"action": "destroy"},
        {"task_cls": 7},
        {"arguments": []},
        {"result": "text"},
        {"result": 7},
        {"failures": {"x": "no"}},
        {"failures": {"x": {"exception_str": "", "traceback_str": "", "exc_type_names": ["Evil"]}}},
    ],
)
def test_odd_requests_are_refused(change: dict[str, Any]) -> None:
    body = {**REQUEST.body(), **change}
    sealed = seal_message(KEY, body, "down", "i-1", wire.REQUEST, RID, "me")
    with pytest.raises(wire.BadMessage):
        wire.unseal_request(KEY, sealed, "i-1", RID, "me")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"state": "SUCCESS"},
        {"state": "SUCCESS", "data": {}},
        {"state": "WAITING", "data": {}},
        {"state": "PENDING", "data": {}},
        {"state": "NONSENSE", "data": {}},
        {"state": "EVENT", "data": {}},
        {"state": "EVENT", "data": {"event_type": "x", "details": 7}},
        {"state": "FAILURE", "data": {"result": "text"}},
        {"state": "FAILURE", "data": {"result": {}}},
        {"state": "FAILURE", "data": {"result": {"exception_str": "", "traceback_str": "", "exc_type_names": ["E"]}}},
    ],
)
def test_odd_responses_are_refused(body: Any) -> None:
    sealed = seal_message(KEY, body, "up", "i-1", wire.RESPONSE, RID, "me")
    with pytest.raises(wire.BadMessage):
        wire.unseal_response(KEY, sealed, "i-1", RID, "me")


@pytest.mark.parametrize("body", [None, {}, {"at": 1.0}, {"at": "x", "sequence": [1, 1]}, {"at": 1, "sequence": [1]}])
def test_odd_heartbeats_are_refused(body: Any) -> None:
    with pytest.raises(wire.BadMessage):
        wire.unseal_heartbeat(KEY, seal_message(KEY, body, "up", "i-1", wire.HEARTBEAT), "i-1")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.execute.x", "a.execute.-1", ".execute.1", "a.destroy.1"])
def test_odd_request_ids_are_refused(text: str) -> None:
    with pytest.raises(wire.BadMessage):
        wire.RequestId.parse(text)


def test_request_ids_are_read_back() -> None:
    assert wire.RequestId.parse(RID) == REQUEST.id


def test_sizes_are_bounded() -> None:
    fits = dataclasses.replace(REQUEST, arguments={"x": "y" * 700_000})
    assert len(json.dumps(wire.seal_request(KEY, fits, "me"))) <= wire.MAX_BODY
    with pytest.raises(MessageTooLarge):
        wire.seal_request(KEY, dataclasses.replace(REQUEST, arguments={"x": "y" * 800_000}), "me")

    class Message:
        body = b'"' + b"x" * wire.MAX_BODY + b'"'

    with pytest.raises(wire.BadMessage):
        wire.content(Message)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000])
def test_bodies_that_are_not_json_are_refused(raw: bytes) -> None:
    class Message:
        body = raw

    with pytest.raises(wire.BadMessage):
        wire.content(Message)


@pytest.mark.parametrize("change", [{"version": 7}, {"secret": 1}, {"causes": [{"version": 7}]}])
def test_failures_of_another_shape_are_refused_without_their_text(change: dict[str, Any]) -> None:
    why = wire.failure_body(WHY)
    causes = [why | cause for cause in change.get("causes", [])]
    body = {"state": "FAILURE", "data": {"result": why | change | ({"causes": causes} if causes else {})}}
    sealed = seal_message(KEY, body, "up", "i-1", wire.RESPONSE, RID, "me")
    with pytest.raises(wire.BadMessage) as caught:
        wire.unseal_response(KEY, sealed, "i-1", RID, "me")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__, "nor shown as what it comes from"


HALF = "\ud800"


def test_halves_of_characters_are_refused() -> None:
    for result in (HALF, [{HALF: 1}]):
        answer = seal_message(
            KEY, {"state": "SUCCESS", "data": {"result": result}}, "up", "i-1", wire.RESPONSE, RID, "me"
        )
        with pytest.raises(wire.BadMessage):
            wire.unseal_response(KEY, answer, "i-1", RID, "me")
    beat = seal_message(KEY, {"at": 1.0, "sequence": [1, 1], "health": HALF}, "up", "i-1", wire.HEARTBEAT)
    with pytest.raises(wire.BadMessage):
        wire.unseal_heartbeat(KEY, beat, "i-1")


def test_an_honest_guest_sends_none() -> None:
    answer = wire.seal_response(KEY, wire.SUCCESS, {"result": {"ü" + HALF: [1]}}, "i-1", RID, "me")
    assert wire.unseal_response(KEY, answer, "i-1", RID, "me") == (wire.SUCCESS, {"ü?": [1]})
    beat = wire.seal_heartbeat(KEY, {"at": 1.0, "sequence": [1, 1], "health": HALF}, "i-1")
    assert wire.unseal_heartbeat(KEY, beat, "i-1")["health"] == "?"
