# SPDX-License-Identifier: Apache-2.0
"""Who is elected, and what that leaves."""

import pathlib
import tempfile
import types
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet

from dbflow.crypto import Keyring
from dbflow.datastores.gtid import transactions
from dbflow.db.models import Base, Instance, Operation
from dbflow.db.replicas import following, make_source, remaining
from dbflow.db.session import Database
from dbflow.operations import State, accept
from dbflow.services import sources
from dbflow.services.context import Caller, Services
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task
from dbflow.waits import NotYet, Overdue
from flows.registry import REGISTRY, Ending
from flows.tasks.base import FlowContext
from flows.tasks.replicas import ElectSource, JoinSource


def elect(newer: str = "", **positions: str) -> tuple[str, Any, int]:
    """Of replicas that are called by their names; that one is of a newer version."""
    names = [f"settled_{number}" for number in range(1, len(positions) + 1)]
    task = ElectSource(requires=names)
    answers = [{"position": one, "port": 3306} for one in positions.values()]
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/state.sqlite")
        Base.metadata.create_all(database.engine)
        for version, members in (("9.9.9", set(positions) - {newer}), ("10.11.4", {newer} - {""})):
            version_id = ensure_datastore(database, "mariadb", version, version, "mariadb", None)
            owner = {"project_id": "p", "user_id": "u", "datastore_version_id": version_id, "flavor_id": "1"}
            with database.write() as session:
                session.add_all(Instance(id=one, name=one, addresses=[], **owner) for one in members)
        fence = types.SimpleNamespace(confirm=lambda within=0.0: None, database=database)
        task.bind(cast(FlowContext, types.SimpleNamespace(fence=fence)))
        try:
            return task.execute(list(positions), **dict(zip(names, answers, strict=True)))
        finally:
            database.close()


def test_the_one_that_has_most() -> None:
    assert elect(a="0-1-9", b="0-1-10", c="0-1-2")[0] == "b"
    assert elect(a="0-7-9", b="0-1-9,1-1-3") == ("b", {"position": "0-1-9,1-1-3", "port": 3306}, 1)
    assert elect(a="1-7-3", b="0-1-1,1-7-3")[0] == "b"


def test_the_oldest_version_of_those_that_have_it_all() -> None:
    """It can't follow a newer one."""
    assert elect(a="0-1-9", b="0-1-9", newer="b")[0] == "a"
    assert elect(a="0-1-9", b="0-1-9", newer="a")[0] == "b"
    assert elect(a="0-1-8", b="0-1-9", newer="b")[0] == "b", "nothing is lost for that"


def test_nobody_when_each_has_something_of_its_own() -> None:
    with pytest.raises(Overdue, match="what the others do not have"):
        elect(a="0-1-9,1-1-3", b="0-1-10,1-1-2")


def test_a_source_that_nobody_wrote_to() -> None:
    assert elect(a="", b="")[2] == 1
    assert elect(a="0-1-1", b="")[0] == "a"
    assert transactions("10-1-2,9-3-4") == {"10": 2, "9": 4}


def test_new_replicas_count_when_nobody_is_about_to_be_told_otherwise(tmp_path: pathlib.Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    with_set(database, "source", new=Task.BUILDING, leaving=Task.DELETING)
    task = JoinSource()
    fence = types.SimpleNamespace(confirm=lambda within=0.0: None, write=database.write)
    task.bind(cast(FlowContext, types.SimpleNamespace(fence=fence)))
    with database.write() as session:
        owner = {"project_id": "p", "user_id": "u", "request_id": None}
        keys = Keyring([Fernet.generate_key()])
        settling = accept(session, keys, "instance.settle_replicas", target_id="source", arguments={}, **owner)
        session.flush()
        settling_id = settling.id
    with pytest.raises(NotYet):
        task.execute("source", ["new", "leaving"])
    assert counted(database) == (1, 0)
    with database.write() as session:
        session.get_one(Operation, settling_id).state = State.FAILED
    task.execute("source", ["new", "leaving"])
    assert counted(database) == (1, 1)
    task.revert(replica_ids=["new", "leaving"])
    assert counted(database) == (1, 0)
    database.close()


def counted(database: Database) -> tuple[int, int]:
    """How many replicas of "source" are there, and how many of them follow."""
    with database.read() as session:
        return remaining(session, "source"), following(session, "source")


@pytest.mark.parametrize("version", [1, 2])
def test_a_parked_replica_is_not_one_that_follows(tmp_path: pathlib.Path, version: int) -> None:
    """Its source is told when the one that does follow is deleted."""
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    with_set(database, "source", good=Task.NONE, parked=Task.JOINING)
    keys = Keyring([Fernet.generate_key()])
    definition = REGISTRY.definition("instance.replicate", version)
    given = {"source_id": "source", "replica_ids": ["parked"], "first": False, "backup_id": "b", "holder_id": "parked"}
    with database.write() as session:
        owner = {"project_id": "p", "user_id": "u", "request_id": None}
        operation = accept(session, keys, "instance.replicate", target_id="parked", arguments={}, **owner)
        session.flush()
        for one in ("source", "parked"):
            session.get_one(Instance, one).operation_id = operation.id
        told = (operation.id, "instance.replicate", "parked", State.FAILED, "no", given)
        definition.ended(session, Ending(*told, frozenset({"create-server-1", "admit-replicas"})))
    with database.write() as session:
        parked = session.get_one(Instance, "parked", populate_existing=True)
        assert (parked.replica_of_id, parked.task, parked.fault["message"]) == (
            None,
            Task.ERROR,
            "Making the replica failed: no",
        )
        good, source = session.get_one(Instance, "good"), session.get_one(Instance, "source")
        assert (source.operation_id, source.replication) == (None, "sealed")
        good.task = Task.DELETING
        session.flush()
        services = cast(Services, types.SimpleNamespace(keyring=keys))
        caller = cast(Caller, types.SimpleNamespace(user_id="u", request_id=None))
        settling = sources.settle(services, session, caller, good, None)
        assert settling is not None
        assert (settling.kind, settling.target_id) == ("instance.settle_replicas", "source")
    database.close()


@pytest.mark.parametrize("left", [None, frozenset({"admit-replicas", "begin-replica-1"})])
def test_a_parked_replica_that_may_follow_counts(tmp_path: pathlib.Path, left: frozenset[str] | None) -> None:
    """It may be the one that has what was acknowledged: nobody is elected without it."""
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    with_set(database, "source", good=Task.NONE, parked=Task.JOINING)
    definition = REGISTRY.definition("instance.replicate", 2)
    given = {"source_id": "source", "replica_ids": ["parked"], "first": False, "backup_id": "b", "holder_id": "parked"}
    with database.write() as session:
        operation = accept(
            session,
            Keyring([Fernet.generate_key()]),
            "instance.replicate",
            target_id="parked",
            arguments={},
            project_id="p",
            user_id="u",
            request_id=None,
        )
        session.flush()
        for one in ("source", "parked"):
            session.get_one(Instance, one).operation_id = operation.id
        told = (operation.id, "instance.replicate", "parked", State.FAILED, "no", given)
        definition.ended(session, Ending(*told, left))
    with database.read() as session:
        parked = session.get_one(Instance, "parked")
        assert (parked.replica_of_id, parked.task) == ("source", Task.ERROR)
    assert counted(database) == (2, 2)
    database.close()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_step_for_each_replica(count: int) -> None:
    ids = [f"replica-{number}" for number in range(count)]
    arguments = REGISTRY.definition("instance.replicate").example | {"replica_ids": ids}
    names = {node["name"] for node in REGISTRY.graph("instance.replicate", arguments=arguments)["nodes"]}
    assert {f"begin-replica-{number}" for number in range(1, count + 1)} <= names
    assert f"begin-replica-{count + 1}" not in names


def test_the_login_of_replicas_goes_to_the_new_source_and_back(tmp_path: pathlib.Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    with_set(database, "dead", new=Task.EJECTING, other=Task.EJECTING)
    with database.write() as session:
        make_source(session, "new", ["other"], before=["dead"])
    assert _set(database) == {"dead": (None, None), "new": (None, "sealed"), "other": ("new", None)}
    with database.write() as session:
        make_source(session, "dead", ["new", "other"])
    assert _set(database) == {"dead": (None, "sealed"), "new": ("dead", None), "other": ("dead", None)}
    database.close()


def with_set(database: Database, source: str, **replicas: Task) -> None:
    """The tables, and a source with its replicas: name -> task."""
    Base.metadata.create_all(database.engine)
    version = ensure_datastore(database, "mariadb", "10.11", "10.11.14", "mariadb", None)
    common = {"project_id": "p", "user_id": "u", "datastore_version_id": version, "flavor_id": "1"}
    with database.write() as session:
        session.add(Instance(id=source, name=source, replication="sealed", **common))
        session.flush()
        more = common | {"replica_of_id": source}
        session.add_all([Instance(id=name, name=name, task=task, **more) for name, task in replicas.items()])


def _set(database: Database) -> dict[str, tuple[str | None, str | None]]:
    with database.read() as session:
        return {one.id: (one.replica_of_id, one.replication) for one in session.query(Instance)}
