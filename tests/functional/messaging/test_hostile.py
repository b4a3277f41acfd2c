# SPDX-License-Identifier: Apache-2.0
"""A guest that was broken into, with its own key and login, on both brokers: it gets nothing of others."""

import pathlib
import time
from collections.abc import Callable
from typing import Any

import kombu
import pytest

from dbflow.messaging import wire
from dbflow.messaging.connection import connection
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.layout import HEARTBEAT, Layout, guest_user
from tests.guests.asking import PATIENCE, TASKS, Field, request
from tests.guests.attacker import Attacker
from tests.guests.process import GuestProcess
from tests.waiting import wait_for

Attack = Callable[[Any], object]


class Scene:
    """A control plane, an honest guest that is at work on a request, and the attacker's guest, whose agent is not
    started: its queue and login are the attacker's."""

    def __init__(self, field: Field) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.asker: Dispatcher = field.dispatcher(on_heartbeat=lambda *heard: self.heard.append(heard))
        self.victim: GuestProcess = field.guest()
        own = field.guest(start=False)
        self.attacker = Attacker(field, own)
        self.asker.declare_guest(own.instance_id)
        self.path = field.root / "trace"
        self.step = request(self.victim.instance_id, "Slow", path=str(self.path), gate=f"{self.path}.gate")
        self.future = self.asker.submit(self.step)
        wait_for(self.path.exists, PATIENCE, "the honest guest at work")

    def ends_well(self) -> None:
        """The honest guest's request is answered by itself, and once."""
        assert not self.future.done()
        pathlib.Path(f"{self.path}.gate").touch()
        assert self.future.result(PATIENCE) == "slow"
        assert self.path.read_text().split() == ["begin", "end"]


@pytest.fixture
def scene(field: Field) -> Scene:
    return Scene(field)


def _attacks(layout: Layout, scene: Scene) -> dict[str, Attack]:
    mine, other = layout.guest(scene.attacker.instance_id), layout.guest(scene.victim.instance_id)
    answers, beats = layout.asker(scene.asker._name), layout.heartbeats()

    def consume(queue: kombu.Queue) -> Attack:
        return lambda channel: queue(channel).consume("tag", callback=print, no_ack=True)

    def publish(exchange: str, key: str, **properties: Any) -> Attack:
        def attack(channel: Any) -> None:
            kombu.Producer(channel).publish({}, exchange=exchange, routing_key=key, **properties)

        return attack

    me = scene.attacker.user
    return {
        "read another's requests": consume(other),
        "take one of another's requests": lambda channel: other(channel).get(no_ack=True),
        "read answers": consume(answers),
        "take an answer": lambda channel: answers(channel).get(no_ack=True),
        "read heartbeats": consume(beats),
        "declare a queue": lambda channel: kombu.Queue("new", channel=channel, durable=True).queue_declare(),
        "declare its own queue": lambda channel: mine(channel).queue_declare(),
        "delete its own queue": lambda channel: mine(channel).delete(),
        "delete another's queue": lambda channel: other(channel).delete(),
        "delete the answers' queue": lambda channel: answers(channel).delete(),
        "purge another's queue": lambda channel: other(channel).purge(),
        "purge the heartbeats": lambda channel: beats(channel).purge(),
        "bind its queue to answers": lambda channel: mine(channel).bind_to(layout.up, routing_key=scene.asker._name),
        "bind its queue to another's requests": lambda channel: mine(channel).bind_to(
            layout.down, routing_key=scene.victim.instance_id
        ),
        "unbind another's queue": lambda channel: other(channel).unbind_from(layout.down, scene.victim.instance_id),
        "ask another guest": publish(layout.down.name, scene.victim.instance_id, user_id=me),
        "ask itself": publish(layout.down.name, scene.attacker.instance_id, user_id=me),
        "put something into a queue": publish("", other.name, user_id=me),
        "speak in another's name": publish(layout.up.name, HEARTBEAT, user_id=guest_user(scene.victim.instance_id)),
        "speak as the control plane": publish(layout.up.name, HEARTBEAT, user_id="dbflow"),
    }


def test_the_broker_refuses_what_is_not_a_guests(field: Field, scene: Scene) -> None:
    attacks = _attacks(Layout(field.exchange), scene)
    assert [name for name, attack in attacks.items() if not scene.attacker.refused(attack)] == []
    allowed = scene.attacker.refused(
        lambda channel: kombu.Producer(channel).publish(
            {}, exchange=Layout(field.exchange).up.name, routing_key=HEARTBEAT, user_id=scene.attacker.user
        )
    )
    assert not allowed, "what a guest may do is not refused, so the refusals mean something"
    scene.ends_well()


def test_it_does_read_its_own_queue(scene: Scene) -> None:
    """And learns nothing but what it is asked, which its key opens."""
    attacker, got = scene.attacker, list[Any]()
    with attacker.channel() as channel:
        own = attacker.layout.guest(attacker.instance_id, declare=False)
        with kombu.Consumer(channel, queues=[own], on_message=got.append, no_ack=True):
            scene.asker.submit(request(attacker.instance_id, "Echo", text="mine"))
            channel.connection.client.drain_events(timeout=20)
    message = got[0]
    names = message.properties["correlation_id"], message.properties["reply_to"]
    body = wire.unseal_request(attacker.key, wire.content(message), attacker.instance_id, *names)
    assert body["arguments"]["text"] == "mine"
    assert "user_id" not in {name for name, value in message.properties.items() if value is not None}


def test_another_guests_request_can_not_be_answered(scene: Scene) -> None:
    attacker, victim = scene.attacker, scene.victim.instance_id
    name, request_id = scene.asker._name, str(scene.step.id)
    for instance_id in (victim, attacker.instance_id):
        body = wire.seal_response(attacker.key, wire.SUCCESS, {"result": "forged"}, instance_id, request_id, name)
        before = scene.asker.stats["odd"]
        attacker.publish(name, body, type=wire.RESPONSE, correlation_id=request_id)
        wait_for(lambda before=before: scene.asker.stats["odd"] == before + 1, PATIENCE, "the answer to be refused")
    scene.ends_well()


def test_nobody_speaks_without_a_name(scene: Scene) -> None:
    """Refused by the broker, or by who receives it."""
    attacker, before = scene.attacker, scene.asker.stats["odd"]

    def attack(channel: Any) -> None:
        kombu.Producer(channel).publish(
            {},
            exchange=attacker.layout.up.name,
            routing_key=scene.asker._name,
            type=wire.RESPONSE,
            correlation_id=str(scene.step.id),
        )

    if not attacker.refused(attack):
        wait_for(lambda: scene.asker.stats["odd"] == before + 1, PATIENCE, "the answer to be refused")
    scene.ends_well()


def test_an_answer_can_not_be_used_again(field: Field, scene: Scene) -> None:
    """Neither for the next attempt, nor for the revert, nor for another process, nor for another step."""
    attacker, asker = scene.attacker, scene.asker
    first, other = request(attacker.instance_id, "Echo", text="x"), field.dispatcher()
    kept = wire.seal_response(
        attacker.key, wire.SUCCESS, {"result": "old"}, attacker.instance_id, str(first.id), asker._name
    )
    later = [
        (asker, request(attacker.instance_id, "Echo", atom=first.id.atom, attempt=2, text="x")),
        (asker, request(attacker.instance_id, "Echo", atom=first.id.atom, action=wire.REVERT, attempt=2, text="x")),
        (asker, request(attacker.instance_id, "Echo", text="x")),
        (other, first),
    ]
    for one, asked in later:
        future, before = one.submit(asked), one.stats["forged"]
        attacker.publish(one._name, kept, type=wire.RESPONSE, correlation_id=str(asked.id))
        wait_for(lambda one=one, before=before: one.stats["forged"] > before, PATIENCE, "the old answer to be refused")
        assert not future.done()
    scene.ends_well()


def test_heartbeats_of_others_can_not_be_forged(scene: Scene) -> None:
    attacker, victim, asker = scene.attacker, scene.victim.instance_id, scene.asker
    wait_for(lambda: scene.heard, PATIENCE, "an honest heartbeat")
    body = {**scene.heard[-1][1], "sequence": [int(time.time()) + 100, 1], "service_status": "FORGED"}
    sealed = [
        wire.seal_heartbeat(attacker.key, body, victim),
        wire.seal_heartbeat(attacker.key, body, attacker.instance_id),
    ]
    for message in sealed:
        before = asker.stats["odd"]
        attacker.publish(HEARTBEAT, message, type=wire.HEARTBEAT, headers={wire.INSTANCE_HEADER: victim})
        wait_for(lambda before=before: asker.stats["odd"] == before + 1, PATIENCE, "the heartbeat to be refused")
    own = {wire.INSTANCE_HEADER: attacker.instance_id}
    attacker.publish(HEARTBEAT, sealed[1], type=wire.HEARTBEAT, headers=own)
    wait_for(lambda: [who for who, _ in scene.heard if who == attacker.instance_id], PATIENCE, "its own heartbeat")
    assert [heard for who, heard in scene.heard if who == victim and heard["service_status"] == "FORGED"] == []
    scene.ends_well()


def test_heartbeats_are_not_taken_twice(scene: Scene) -> None:
    attacker, asker = scene.attacker, scene.asker
    wait_for(lambda: scene.heard, PATIENCE, "an honest heartbeat")
    body = {**scene.heard[-1][1], "sequence": [int(time.time()), 1]}
    sealed = wire.seal_heartbeat(attacker.key, body, attacker.instance_id)
    before = asker.stats["heartbeats_refused"]
    for _ in range(3):
        attacker.publish(HEARTBEAT, sealed, type=wire.HEARTBEAT, headers={wire.INSTANCE_HEADER: attacker.instance_id})
    wait_for(lambda: asker.stats["heartbeats_refused"] == before + 2, PATIENCE, "the copies to be refused")
    assert len([who for who, _ in scene.heard if who == attacker.instance_id]) == 1


def test_a_captured_request_is_done_once(field: Field) -> None:
    """Whoever could put it into the queue again, after an answer or beside it, has nothing done by it."""
    asker, guest = field.dispatcher(), field.guest()
    path = field.root / "trace"
    step = request(guest.instance_id, "Write", path=str(path), word="once")
    assert asker.submit(step).result(PATIENCE) == "once"
    captured = wire.seal_request(field.key_of(guest.instance_id), step, asker._name)
    with connection(field.url) as conn:
        channel = conn.channel()
        for asker_name in (asker._name, "stolen"):
            kombu.Producer(channel).publish(
                captured,
                exchange=Layout(field.exchange).down.name,
                routing_key=guest.instance_id,
                type=wire.REQUEST,
                correlation_id=str(step.id),
                reply_to=asker_name,
            )
    wait_for(lambda: asker.stats["late"], PATIENCE, "the answer to the copy")
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    assert path.read_text().split() == ["once"]
    assert "refused" in guest.log, "sealed for one asker, it is nothing for another"
