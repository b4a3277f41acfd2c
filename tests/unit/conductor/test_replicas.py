# SPDX-License-Identifier: Apache-2.0
"""Sources whose last replica went without a word are told by the leader."""

import datetime
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from conductor.replicas import KIND, ReplicaKeeper
from dbflow.crypto import Keyring
from dbflow.db.models import Base, Instance, Operation, utcnow
from dbflow.db.session import Database
from dbflow.operations import State
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task

NAMES = ("forsaken", "loved", "busy", "plain", "leaving", "gone")


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/state.sqlite")
    Base.metadata.create_all(made.engine)
    version = ensure_datastore(made, "mariadb", "10.11", "10.11.14", "mariadb", None)
    rows: dict[str, dict[str, Any]] = {name: {"replication": "sealed"} for name in NAMES}
    rows["busy"]["operation_id"] = "x"
    rows["plain"]["replication"] = None
    rows["gone"]["deleted"] = True
    rows["replica"] = {"replica_of_id": "loved"}
    rows["last"] = {"replica_of_id": "leaving", "task": Task.DELETING}
    with made.write() as session:
        for name, more in rows.items():
            common = {"project_id": "p", "user_id": "u", "datastore_version_id": version, "flavor_id": "1"}
            session.add(Instance(id=name, name=name, **common, **more))
    yield made
    made.close()


def told(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.scalars(sa.select(Operation.target_id).where(Operation.kind == KIND)))


def test_only_those_without_replicas(database: Database) -> None:
    keeper = ReplicaKeeper(database, Keyring([Fernet.generate_key()]))
    assert keeper.keep() == 2
    assert told(database) == ["forsaken", "leaving"]
    with database.read() as session:
        held = session.scalars(sa.select(Instance.id).join(Operation, Operation.id == Instance.operation_id))
        assert sorted(held) == ["forsaken", "leaving"]


def test_not_again_before_a_while(database: Database) -> None:
    keeper = ReplicaKeeper(database, Keyring([Fernet.generate_key()]))
    keeper.keep()
    assert keeper.keep() == 0
    with database.write() as session:
        session.execute(sa.update(Operation).values(state=State.REVERTED, finished=utcnow()))
        session.execute(sa.update(Instance).where(Instance.name != "busy").values(operation_id=None))
    assert keeper.keep() == 0
    with database.write() as session:
        long_ago = utcnow() - datetime.timedelta(minutes=5)
        session.execute(sa.update(Operation).where(Operation.target_id == "forsaken").values(finished=long_ago))
    assert keeper.keep() == 1
    assert told(database) == ["forsaken", "forsaken", "leaving"]
