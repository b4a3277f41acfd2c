# SPDX-License-Identifier: Apache-2.0
"""Conductors without servers: SQLite, the embedded board, flows of local tasks that this file registers."""

import dataclasses
import pathlib
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from oslo_config import cfg
from sqlalchemy.orm import Session
from taskflow.patterns import linear_flow, unordered_flow

from conductor.service import ConductorService
from dbflow.cloud.base import Cloud
from dbflow.conf import register
from dbflow.crypto import Keyring
from dbflow.db.models import Base, Datastore, DatastoreVersion, Instance, Operation, new_id
from dbflow.db.session import Database
from dbflow.guestkeys import GuestKeys
from dbflow.jobboard import Boards, Poster
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.metrics import Metrics
from dbflow.operations import Kind, State, accept, lock_instance
from dbflow.persistence import tables  # noqa: F401 - registers the flow tables
from dbflow.waits import NotYet
from flows.outcome import settle
from flows.registry import REGISTRY, Definition, Ending
from flows.tasks.base import LocalTask
from tests.waiting import wait_for

LOG: list[str] = []
GATE = threading.Event()
THERE = threading.Event()
"""What waiting steps wait for."""


class Note(LocalTask):
    """Notes that it ran; fails, or waits at the gate, when its number says so."""

    def __init__(self, number: int, fail: str, gate: int | None) -> None:
        super().__init__(f"note-{number}")
        self.number, self.fail, self.gate = number, fail, gate

    def execute(self, instance_id: str) -> int:
        LOG.append(f"+{self.number}")
        if self.number == self.gate:
            assert GATE.wait(120)
        if self.fail == f"execute-{self.number}":
            raise ValueError("the note could not be written; password=hunter2")
        return self.number

    def revert(self, instance_id: str, **_: Any) -> None:
        LOG.append(f"-{self.number}")
        if self.fail in (f"revert-{self.number}", f"both-{self.number}"):
            raise ValueError("stuck")


class Wait(LocalTask):
    """Looks every ``after`` seconds whether THERE is set, when it is executed (``phase`` +) or reverted (-)."""

    def __init__(self, number: int, after: float, deadline: float, phase: str) -> None:
        super().__init__(f"wait-{number}")
        self.number, self.after, self.deadline, self.phase = number, after, deadline, phase  # type: ignore[misc]

    def execute(self) -> None:
        self._look("+")

    def revert(self, **_: Any) -> None:
        self._look("-")

    def _look(self, phase: str) -> None:
        LOG.append(f"{phase}?{self.number}")
        if phase == self.phase and not THERE.is_set():
            raise NotYet("the test is not ready", after=self.after)


def _build(arguments: dict[str, Any]) -> linear_flow.Flow:
    flow = (unordered_flow if arguments.get("side_by_side") else linear_flow).Flow("test.notes")
    for number in range(arguments.get("steps", 3)):
        if number == arguments.get("wait"):
            after, deadline = arguments.get("after", 600.0), arguments.get("deadline", 600.0)
            flow.add(Wait(number, after, deadline, arguments.get("phase", "+")))
        else:
            flow.add(Note(number, arguments.get("fail", ""), arguments.get("gate")))
    if str(arguments.get("fail", "")).startswith(("revert", "both")):
        flow.add(Note(99, "execute-99", None))
    return flow


def _ended(session: Session, ending: Ending) -> None:
    settle(session, ending, "Noting", done={"flavor_id": "done"}, undone={"flavor_id": "undone"})


class NoCloud:
    """The test flows call none."""

    def keep(self) -> None:
        """Nothing to keep."""

    def owned(self) -> dict[str, set[str]]:
        """Nothing."""
        return {}


@dataclasses.dataclass
class World:
    """What a test needs to accept operations and watch them."""

    conf: cfg.ConfigOpts
    database: Database
    keyring: Keyring
    boards: Boards
    poster: Poster
    conductors: list[tuple[ConductorService, threading.Thread]]
    metrics: Metrics = dataclasses.field(default_factory=Metrics)

    def conductor(self) -> ConductorService:
        """Start one more conductor."""
        keys = GuestKeys(self.database, self.keyring)
        service = ConductorService(
            self.conf, self.database, self.keyring, keys, cast(Cloud, NoCloud()), self.boards,
            cast(Dispatcher, object()), None, self.metrics,
        )  # fmt: skip
        thread = threading.Thread(target=service.run, daemon=True)
        thread.start()
        self.conductors.append((service, thread))
        return service

    def accept(self, *, post: bool = True, instance_id: str | None = None, **arguments: Any) -> tuple[str, str]:
        """Accept a test operation on a new instance; (operation id, instance id)."""
        with self.database.write() as session:
            if instance_id is None:
                version = session.query(DatastoreVersion).first()
                assert version
                instance = Instance(
                    name="i", project_id="p", user_id="u", datastore_version_id=version.id, flavor_id="1"
                )
                session.add(instance)
                session.flush()
                instance_id = instance.id
            operation = accept(
                session, self.keyring, "test.notes", target_id=instance_id, project_id="p", user_id="u",
                request_id=None, arguments=arguments,
            )  # fmt: skip
            session.flush()
            lock_instance(session, instance_id, operation)
        if post:
            self.poster.post(operation)
        return operation.id, instance_id

    def operation(self, operation_id: str) -> Operation:
        """Its row, now."""
        with self.database.read() as session:
            return session.get_one(Operation, operation_id)

    def instance(self, instance_id: str) -> Instance:
        """Its row, now."""
        with self.database.read() as session:
            return session.get_one(Instance, instance_id)

    def wait_state(self, operation_id: str, state: State, timeout: float = 60) -> Operation:
        """Until the operation is in that state."""
        wait_for(lambda: self.operation(operation_id).state == state, timeout, f"operation {state}")
        return self.operation(operation_id)


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    LOG.clear()
    GATE.clear()
    THERE.clear()
    kind = Kind("test.notes", "Notes", 1, "NORMAL", "instance", "RESIZING")
    REGISTRY._definitions["test.notes", 1] = Definition(kind, _build, _ended, {})
    conf = register(cfg.ConfigOpts())
    conf([], project="dbflow", default_config_files=[])
    conf.set_override("driver", "embedded", group="coordination")
    conf.set_override("outbox_interval", 0.2, group="conductor")
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    Base.metadata.create_all(database.engine)
    Keyring.create_file(tmp_path / "keys")
    with database.write() as session:
        store = Datastore(name="mariadb")
        session.add(store)
        session.flush()
        session.add(DatastoreVersion(id=new_id(), datastore_id=store.id, name="1", version="1", manager="mariadb"))
    boards = Boards(conf)
    world = World(conf, database, Keyring.from_file(tmp_path / "keys"), boards, boards.poster(), [])
    yield world
    GATE.set()
    for service, _ in world.conductors:
        service.stop()
    for _, thread in world.conductors:
        thread.join(10)
    del REGISTRY._definitions["test.notes", 1]
    database.close()
