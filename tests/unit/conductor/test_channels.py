# SPDX-License-Identifier: Apache-2.0
"""Which guests get their user and queue at the broker again, and which lose them."""

import pathlib
from collections.abc import Iterator
from typing import Any, cast

import pytest

from conductor.channels import ChannelKeeper
from dbflow.crypto import BadSeal
from dbflow.db.models import Instance, Operation
from dbflow.db.session import Database
from dbflow.messaging.census import Census
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.operations import State
from dbflow.orphans import Orphanage
from flows.tasks.base import GuestChannels
from tests.unit.rows import with_version


class Broker:
    """What it has, and what was made and removed."""

    def __init__(self) -> None:
        self.lists = True
        self.there: set[str] = set()
        """With user and queue."""
        self.half: set[str] = set()
        """With one of them."""
        self.made: list[str] = []
        self.removed: list[str] = []
        self.refuses: set[str] = set()
        self.meanwhile: Any = lambda: None

    def guests(self) -> set[str]:
        return self.there | self.half

    def complete(self) -> set[str]:
        return set(self.there)

    def declare_guest(self, instance_id: str) -> None:
        self.made.append(instance_id)
        self._refuse(instance_id)
        self.meanwhile()

    def delete_guest(self, instance_id: str) -> None:
        self.removed.append(instance_id)
        self._refuse(instance_id)

    def _refuse(self, instance_id: str) -> None:
        if instance_id in self.refuses:
            raise BrokerUnavailable("its node is down")


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    made = with_version(tmp_path)
    yield made
    made.close()


def _add(database: Database, instance_id: str, **values: Any) -> None:
    known = {"server_id": "s", "guest_key": "sealed", "operation_id": None, "deleted": False} | values
    with database.write() as session:
        session.add(
            Instance(
                id=instance_id, name="x", project_id="p", user_id="u", datastore_version_id="v", flavor_id="1", **known
            )
        )


def _keep(database: Database, broker: Broker) -> None:
    nothing: Any = None
    orphanage = Orphanage(database, nothing, broker, nothing)
    ChannelKeeper(database, cast(Census, broker), orphanage, cast(GuestChannels, broker)).keep()


def test_those_that_are_missing(database: Database) -> None:
    """Also while an operation has the instance. Not what is there, deleted, going or not yet made."""
    _add(database, "lost")
    _add(database, "known")
    _add(database, "deleted", deleted=True)
    _add(database, "at work", operation_id="o", task="RESTARTING")
    _add(database, "going", operation_id="o", task="DELETING")
    _add(database, "without a server", server_id=None)
    _add(database, "without a key", guest_key=None)
    broker = Broker()
    broker.there = {"known", "a stranger"}
    _keep(database, broker)
    assert (broker.made, broker.removed) == (["at work", "lost"], [])


GONE: dict[str, Any] = {"deleted": True, "server_id": None, "guest_key": None}


def test_those_of_deleted_instances(database: Database) -> None:
    """Also when half of it is there, and after a create that was undone. Not of who is alive, being made or deleted,
    parked, or was never known."""
    _add(database, "known")
    _add(database, "half", **GONE)
    _add(database, "whole", **GONE)
    _add(database, "gone", **GONE)
    _add(database, "undone", server_id=None, guest_key=None)
    _add(database, "begun", operation_id="o", server_id=None, guest_key=None)
    _add(database, "parked", server_id=None, guest_key=None)
    who = {"target_type": "instance", "target_id": "parked", "project_id": "p", "user_id": "u"}
    with database.write() as session:
        session.add(Operation(kind="instance.delete", version=1, arguments="", state=State.FAILED, **who))
    broker = Broker()
    broker.there, broker.half = {"known", "whole", "a stranger", "undone"}, {"half", "begun", "parked"}
    _keep(database, broker)
    assert (broker.made, sorted(broker.removed)) == ([], ["half", "undone", "whole"])


def test_what_goes_meanwhile(database: Database) -> None:
    """A delete that ends between the look at the broker and that at the row is no matter of the broker's memory."""
    _add(database, "just deleted", **GONE)
    broker = Broker()
    looks = iter([{"just deleted"}, set()])
    broker.guests = lambda: next(looks)  # type: ignore[method-assign]
    _keep(database, broker)
    assert broker.removed == []


def test_a_few_that_are_refused(database: Database) -> None:
    """They are not in the way of others, of who waits for a way to a guest least of all."""
    for instance_id in ("a", "c"):
        _add(database, instance_id)
    for instance_id in ("x", "y", "z"):
        _add(database, instance_id, **GONE)
    broker = Broker()
    broker.half, broker.refuses = {"x", "y", "z"}, {"a", "x", "y"}
    _keep(database, broker)
    assert (broker.made, sorted(broker.removed)) == (["a", "c"], ["x", "y", "z"])


def test_a_broker_that_refuses_everything(database: Database) -> None:
    """It is not asked again and again."""
    for instance_id in "abcdef":
        _add(database, instance_id)
    broker = Broker()
    broker.refuses = set("abcdef")
    with pytest.raises(BrokerUnavailable):
        _keep(database, broker)
    assert broker.made == ["a", "b", "c"]


def test_a_broker_that_can_not_tell(database: Database) -> None:
    _add(database, "lost")
    _add(database, "deleted", **GONE)
    broker = Broker()
    broker.lists, broker.half = False, {"deleted"}
    _keep(database, broker)
    assert (broker.made, broker.removed) == ([], [])


def test_deleted_meanwhile(database: Database) -> None:
    """Nothing is left of it, and what others work on meanwhile is left alone."""
    _add(database, "lost")
    _add(database, "restarted")
    broker = Broker()

    def change() -> None:
        with database.write() as session:
            session.get_one(Instance, "lost").task = "DELETING"
            session.get_one(Instance, "restarted").operation_id = "o"

    broker.meanwhile = change
    _keep(database, broker)
    assert (broker.made, broker.removed) == (["lost", "restarted"], ["lost"])


def test_one_that_can_not_be_opened_is_no_trouble_for_others(database: Database) -> None:
    _add(database, "a")
    _add(database, "b")
    broker = Broker()

    def fail_first() -> None:
        if broker.made == ["a"]:
            raise BadSeal("another key")

    broker.meanwhile = fail_first
    _keep(database, broker)
    assert broker.made == ["a", "b"]
