# SPDX-License-Identifier: Apache-2.0
"""What goes over the broker: TaskFlow's worker protocol, each body sealed for one guest, one request, one asker.

The request has fields beyond TaskFlow's: ``epoch`` (of the claim under which it is made; 0 for calls of the API),
``issued`` (seconds since 1970, when it was first made) and ``about`` (see dbflow.logcontext; conductors of earlier
releases do not say it). All are inside the seal.
"""

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from jsonschema import validators
from taskflow.engines.worker_based import protocol
from taskflow.types import failure

from dbflow import crypto, logcontext
from dbflow.messaging.errors import MessageTooLarge

MAX_BODY = 1024 * 1024
"""Bytes of a sealed body."""
MAX_HEARTBEAT = 16 * 1024
"""Bytes of a sealed heartbeat."""
MAX_DEPTH = 64
"""Of lists and dicts in each other."""

REQUEST, RESPONSE, HEARTBEAT = protocol.REQUEST, protocol.RESPONSE, "HEARTBEAT"
EXECUTE, REVERT = protocol.EXECUTE, protocol.REVERT
RUNNING, EVENT, SUCCESS, FAILURE = protocol.RUNNING, protocol.EVENT, protocol.SUCCESS, protocol.FAILURE
ALIVE = "alive"
"""Event by which a guest says that it is still at work on a request."""
INSTANCE_HEADER = "instance"
"""Header of a heartbeat: whose key it is sealed with."""


def _compiled(schema: dict[str, Any]) -> Any:
    return validators.validator_for(schema)(schema)


# TaskFlow's own, compiled once: its validate() does that for every message.
_REQUEST_SCHEMA, _FAILURE_SCHEMA = _compiled(protocol.Request.SCHEMA), _compiled(failure.Failure.SCHEMA)


class BadMessage(Exception):
    """Not a message of this protocol; it is dropped and counted."""


@dataclasses.dataclass(frozen=True)
class RequestId:
    """``<atom uuid>.<execute|revert>.<attempt>``: the same for every try to have one step done."""

    atom: str
    action: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.atom}.{self.action}.{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> "RequestId":
        """BadMessage for anything else."""
        atom, *rest = text.rsplit(".", 2)
        if not atom or len(rest) != 2 or rest[0] not in (EXECUTE, REVERT) or not rest[1].isdecimal():
            raise BadMessage("not a request id")
        return cls(atom, rest[0], int(rest[1]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuestRequest:
    """One step to be done by one guest."""

    NOTHING: ClassVar[object] = protocol.NO_RESULT

    instance_id: str
    id: RequestId
    task: str
    """Class path of the guest task."""
    name: str
    """The atom's name in its flow."""
    version: tuple[int, ...] = (1, 0)
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    epoch: int = 0
    result: Any = dataclasses.field(default=NOTHING, repr=False)
    """Of a revert: what the execution returned (or its Failure)."""
    failures: Mapping[str, failure.Failure] = dataclasses.field(default_factory=dict, repr=False)
    """Of a revert: why the flow reverts."""
    deadline: float = 600.0
    """Seconds the step may take in all."""
    silence: float | None = None
    """Seconds without a sign of life after which it is given up; None: as configured."""
    issued: float = dataclasses.field(default_factory=time.time)
    about: Mapping[str, str] = dataclasses.field(default_factory=lambda: logcontext.current().told())
    """Ids for the guest's log."""

    def body(self) -> dict[str, Any]:
        """As TaskFlow's worker protocol has it."""
        body: dict[str, Any] = {
            "task_cls": self.task,
            "task_name": self.name,
            "task_version": list(self.version),
            "action": self.id.action,
            "arguments": dict(self.arguments),
            "epoch": self.epoch,
            "issued": self.issued,
            "about": dict(self.about),
        }
        if self.result is not self.NOTHING:
            body["result"] = _outcome(self.result)
        if self.failures:
            body["failures"] = {name: failure_body(why) for name, why in self.failures.items()}
        return body


def _outcome(result: Any) -> list[Any]:
    if isinstance(result, failure.Failure):
        return ["failure", failure_body(result)]
    return ["success", result]


def failure_body(why: failure.Failure) -> dict[str, Any]:
    """A Failure without the exception's arguments, which may be anything and hold anything."""
    body: dict[str, Any] = why.to_dict(include_args=False)
    return body


def seal_request(key: bytes, request: GuestRequest, asker: str) -> dict[str, str]:
    """MessageTooLarge when it is."""
    return _seal(key, request.body(), "down", request.instance_id, REQUEST, str(request.id), asker)


def unseal_request(key: bytes, message: Any, instance_id: str, request_id: str, asker: str) -> dict[str, Any]:
    """A checked request body; BadMessage or BadSeal."""
    body = crypto.unseal_message(key, message, "down", instance_id, REQUEST, request_id, asker)
    _check(_REQUEST_SCHEMA, body, "request")
    if not isinstance(body.get("epoch"), int) or not isinstance(body.get("issued"), int | float):
        raise BadMessage("a request without epoch or time")
    if body["action"] != RequestId.parse(request_id).action:
        raise BadMessage("a request whose id names another action")
    for why in _failures(body):
        _check_failure(why)
    return dict(body)


def _failures(body: dict[str, Any]) -> list[Any]:
    found = list(body.get("failures", {}).values())
    outcome = body.get("result")
    if outcome is not None:
        if not (isinstance(outcome, list) and len(outcome) == 2):
            raise BadMessage("a request whose result is none")
        if outcome[0] == "failure":
            found.append(outcome[1])
    return found


def seal_response(
    key: bytes, state: str, data: Mapping[str, Any], instance_id: str, request_id: str, asker: str
) -> dict[str, str]:
    """MessageTooLarge when it is."""
    body = protocol.Response(state, **data).to_dict()
    return _seal(key, _whole(body), "up", instance_id, RESPONSE, request_id, asker)


def unseal_response(key: bytes, message: Any, instance_id: str, request_id: str, asker: str) -> tuple[str, Any]:
    """(state, data) of a checked response: the result or Failure of a finished one, else the event's dict."""
    body = crypto.unseal_message(key, message, "up", instance_id, RESPONSE, request_id, asker)
    _check_depth(body)
    _check_text(body)
    # By hand and not by TaskFlow's schema: a conductor gets hundreds of these a second, and that takes 3 ms each.
    state, data = (body.get("state"), body.get("data")) if isinstance(body, dict) else (None, None)
    if isinstance(data, dict):
        if state == SUCCESS and "result" in data:
            return state, data["result"]
        if state == FAILURE and "result" in data:
            return state, _failure(data["result"])
        if state == RUNNING:
            return state, data
        if state == EVENT and isinstance(data.get("event_type"), str) and isinstance(data.get("details"), dict):
            return state, data
    raise BadMessage("not a response of the worker protocol")


def seal_heartbeat(key: bytes, body: Mapping[str, Any], instance_id: str) -> dict[str, str]:
    """MessageTooLarge when it is."""
    return _seal(key, _whole(dict(body)), "up", instance_id, HEARTBEAT)


def unseal_heartbeat(key: bytes, message: Any, instance_id: str) -> dict[str, Any]:
    """A heartbeat with its ``sequence`` [boot, number] and ``at`` (seconds since 1970); BadMessage or BadSeal."""
    body = crypto.unseal_message(key, message, "up", instance_id, HEARTBEAT)
    _check_depth(body)
    _check_text(body)
    if not isinstance(body, dict) or not isinstance(body.get("at"), int | float):
        raise BadMessage("a heartbeat without its time")
    sequence = body.get("sequence")
    if not isinstance(sequence, list) or len(sequence) != 2 or not all(isinstance(part, int) for part in sequence):
        raise BadMessage("a heartbeat without its sequence")
    return body


def _whole(body: Any) -> Any:
    """With question marks for halves of characters (of odd file names, say), which would be refused."""
    text = json.dumps(body, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode(errors="replace"))
    return body


def _seal(key: bytes, body: Any, *bound: str) -> dict[str, str]:
    sealed = crypto.seal_message(key, body, *bound)
    size = len(sealed["sealed"])
    if size > MAX_BODY - 64:
        raise MessageTooLarge(f"a message of {size} bytes; {MAX_BODY} are allowed")
    return sealed


def _failure(body: Any) -> failure.Failure:
    _check_failure(body)
    try:
        return failure.Failure.from_dict(body)
    except (TypeError, ValueError):  # whose text the sender would choose
        raise BadMessage("a failure of another version or shape") from None


def _check_failure(why: Any) -> None:
    _check(_FAILURE_SCHEMA, why, "failure")
    if why["exc_type_names"][-1] not in failure.Failure.BASE_EXCEPTIONS:
        raise BadMessage("a failure of something that is no exception")
    for cause in why.get("causes", ()):
        _check_failure(cause)


def _check(schema: Any, body: Any, what: str) -> None:
    try:
        valid = schema.is_valid(body)
    except RecursionError:
        valid = False
    if not valid:
        raise BadMessage(f"not a {what} of the worker protocol")


def _check_depth(body: Any) -> None:
    """What is read without trouble may still be too deep to be copied or written."""
    level, depth = [body], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise BadMessage("a message too deep")
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [value for values in inner for value in values if isinstance(value, dict | list)]


def _check_text(body: Any) -> None:
    """JSON can hold halves of characters, which no database and no socket takes."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadMessage("a message whose text is none") from None


def content(message: Any, most: int = MAX_BODY) -> Any:
    """The JSON body of a received message, whatever it says it is; BadMessage when it is too large or not JSON."""
    raw = message.body
    if len(raw) > most:
        raise BadMessage(f"a message of {len(raw)} bytes")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise BadMessage("a message that is not JSON") from None
