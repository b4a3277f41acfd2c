# SPDX-License-Identifier: Apache-2.0
"""Thousands of messages that make no sense, from a guest's own login: the control plane goes on, and stays small."""

import json
import logging
import random
import resource
import zlib
from typing import Any

import amqp
import kombu
import pytest

from dbflow.messaging import wire
from dbflow.messaging.layout import HEARTBEAT
from tests.guests.asking import PATIENCE, TASKS, Field, request
from tests.guests.attacker import Attacker
from tests.waiting import wait_for

MANY = 3000
MORE_MEMORY = 300 * 1024 * 1024
"""Bytes by which this process may ever have grown."""


def _bomb(size: int = 400 * 1024 * 1024) -> bytes:
    """Less than a message may have, and many times that when it is unpacked."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(size // 1024 // 1024)) + packer.flush()


TEXTS = ["", "x", "ü" * 100, "x" * 255, "0", "None", "\x00", "{}", "a.execute.1", "a.execute." + "9" * 200]
BODIES: list[Any] = [
    b"",
    b"\xff" * 100,
    b"null",
    b"[]",
    b'{"sealed": 7}',
    b'{"sealed": "AAAA"}',
    b"[" * 200_000,
    b'{"a":' * 50_000,
    b"9" * 10_000,
    b"NaN",
    b'"' + b"x" * 1_200_000 + b'"',
    b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    b"!!python/object/apply:os.system ['true']",
]
TYPES = ["application/json", "application/x-python-serialize", "application/x-yaml", "text/x-\x00", "x" * 200]
PACKED = ["application/x-gzip", "application/x-bz2", "zlib", "nonsense", "x" * 1000]


def _properties(chance: random.Random, attacker: Attacker, known: str) -> dict[str, Any]:
    """Properties of a message, any of which may be odd."""
    found: dict[str, Any] = {
        "type": chance.choice([wire.RESPONSE, wire.HEARTBEAT, wire.REQUEST, *TEXTS]),
        "correlation_id": chance.choice([known, *TEXTS]),
        "reply_to": chance.choice(TEXTS),
        "content_type": chance.choice(TYPES),
        "content_encoding": chance.choice(["utf-8", "binary", "us-ascii", "utf-99", "punycode"]),
    }
    headers: dict[str, Any] = {wire.INSTANCE_HEADER: chance.choice([attacker.instance_id, *TEXTS])}
    if chance.random() < 0.3:
        headers["compression"] = chance.choice(PACKED)
    return {**{name: value for name, value in found.items() if chance.random() < 0.8}, "headers": headers}


def _memory() -> int:
    """Bytes that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _deep(depth: int) -> Any:
    made: Any = 1
    for _ in range(depth):
        made = [made]
    return made


def _sealed(attacker: Attacker, asker: str, known: str) -> list[Any]:
    """Sealed properly, and no less odd."""
    insides: list[Any] = [
        None,
        [],
        {"state": "SUCCESS"},
        {"state": 1, "data": {}},
        {"state": "FAILURE", "data": {"result": {"exc_type_names": ["int"]}}},
        {"state": "FAILURE", "data": {"result": _deep(300)}},
        {"state": "SUCCESS", "data": {"result": _deep(300)}},
        {"state": "EVENT", "data": {"event_type": "update_progress", "details": {"progress": "x" * 10_000}}},
        {"at": "now", "sequence": [1, 1]},
        {"at": float("nan"), "sequence": [1, 1]},
        {"at": 1e308, "sequence": [2**60, 2**60]},
        {"at": 1, "sequence": [True, -1]},
        {"at": 1, "sequence": ["x", 1]},
    ]
    bounds = [
        ("up", attacker.instance_id, wire.RESPONSE, known, asker),
        ("up", attacker.instance_id, wire.HEARTBEAT),
    ]
    return [wire._seal(attacker.key, inside, *bound) for inside in insides for bound in bounds]


def test_garbage_changes_nothing_for_others(field: Field, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []
    asker = field.dispatcher(on_heartbeat=lambda instance_id, _body: heard.append(instance_id))
    guest, own = field.guest(), field.guest(start=False)
    attacker, chance = Attacker(field, own), random.Random(7)
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    asked = request(own.instance_id, "Echo", text="x")
    future = asker.submit(asked)
    bomb, stats = _bomb(), asker.stats
    assert len(bomb) < wire.MAX_BODY
    memory = _memory()
    odd = _sealed(attacker, asker._name, str(asked.id))
    before = sum(stats.values())
    with caplog.at_level(logging.WARNING), attacker.channel() as channel:
        producer = kombu.Producer(channel)
        for number in range(MANY):
            body = chance.choice(BODIES) if number % 3 else json.dumps(chance.choice(odd)).encode()
            if len(body) > 10_000 and number % 10:
                body = b"{}"  # or the bytes, not the oddities, would be what is refused
            key = chance.choice([asker._name, HEARTBEAT])
            properties = {**_properties(chance, attacker, str(asked.id)), "user_id": attacker.user}
            content = {name: properties.pop(name, None) for name in ("content_type", "content_encoding")}
            producer.publish(body, exchange=attacker.layout.up.name, routing_key=key, **content, **properties)
        for _ in range(3):
            producer.publish(
                bomb,
                exchange=attacker.layout.up.name,
                routing_key=asker._name,
                headers={"compression": "application/x-gzip"},
                user_id=attacker.user,
                type=wire.RESPONSE,
                correlation_id=str(asked.id),
                content_type="application/json",
                content_encoding="utf-8",
            )
    wait_for(lambda: sum(stats.values()) - before >= MANY + 3, 60, "all of it to have been seen")
    assert not future.done() or future.result().check("dbflow.messaging.errors.GuestUnreachable")
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "alive"}, PATIENCE) == "alive"
    count = len(heard)
    wait_for(lambda: guest.instance_id in heard[count:], PATIENCE, "another heartbeat of the honest guest")
    assert "no link to the broker" not in caplog.text, "the connection was never lost"
    assert "a message was dropped" not in caplog.text, "nothing came as a surprise"
    assert _memory() - memory < MORE_MEMORY


def test_properties_that_are_no_text(rabbit_field: Field, caplog: pytest.LogCaptureFixture) -> None:
    """RabbitMQ hands on what it does not look at."""
    asker, guest = rabbit_field.dispatcher(), rabbit_field.guest()
    attacker = Attacker(rabbit_field, rabbit_field.guest(start=False))
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    odd: list[dict[str, Any]] = [
        {"content_type": b"\xff\xfe"},
        {"correlation_id": b"\xff"},
        {"type": b"\xc3\x28"},
        {"application_headers": {b"\xff": 1}},
        {"application_headers": {"x": b"\xff" * 1000}},
        {"timestamp": 2**64 - 1},
    ]
    before = asker.stats["odd"]
    with attacker.channel() as channel:
        for properties in odd:
            for body in (b"", b"x" * 300_000):
                message = amqp.Message(body, user_id=attacker.user, **properties)
                channel.basic_publish(message, exchange=attacker.layout.up.name, routing_key=asker._name)
        huge = amqp.Message(b"x" * 12_000_000, user_id=attacker.user)
        channel.basic_publish(huge, exchange=attacker.layout.up.name, routing_key=asker._name)
    seen = 2 * len(odd) + 1
    wait_for(lambda: asker.stats["odd"] + asker.stats["late"] - before >= seen, PATIENCE, "all of it to have been seen")
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "alive"}, PATIENCE) == "alive"
    assert "no link to the broker" not in caplog.text, "the connection was never lost"
