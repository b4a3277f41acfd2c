# SPDX-License-Identifier: Apache-2.0
"""A request whose transaction MariaDB gives up is answered as if nothing had been in its way."""

import contextlib
import pathlib
import threading
from collections.abc import Iterator

import pymysql
import pytest
import sqlalchemy as sa

from dbflow.db.models import Instance, Operation
from tests.unit.api.world import World
from tests.waiting import wait_for


@pytest.fixture
def world(mysql_url: str, tmp_path: pathlib.Path) -> Iterator[World]:
    made = World(tmp_path, mysql_url)
    yield made
    made.database.close()


def _count(world: World, name: str) -> int:
    with world.database.read() as session:
        ((_, value),) = session.execute(sa.text(f"SHOW GLOBAL STATUS LIKE '{name}'"))
    return int(value)


def _waiting(world: World) -> bool:
    """Whether a transaction waits for a lock."""
    with world.database.read() as session:
        query = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
        return bool(session.scalar(sa.text(query)))


class Asking(threading.Thread):
    """One request in a thread of its own."""

    def __init__(self, world: World, method: str, path: str) -> None:
        super().__init__()
        self._arguments, self._world, self.status = (method, path), world, 0

    def run(self) -> None:
        method, path = self._arguments
        client = self._world.app.test_client()
        self.status = client.open(f"/v1.0/p1/{path}", method=method, headers={"X-Auth-Token": "owner"}).status_code


@contextlib.contextmanager
def _rival(world: World, instance_id: str) -> Iterator[sa.Connection]:
    """A transaction that has the instance's row, and has written so much that InnoDB gives up any other."""
    with world.database.engine.connect() as rival, rival.begin():
        rival.execute(sa.update(Instance).where(Instance.id == instance_id).values(name="rival"))
        for number in range(20):
            row = {"project_id": "rival", "resource": str(number), "hard_limit": 1}
            rival.execute(sa.text("INSERT INTO quotas VALUES (:project_id, :resource, :hard_limit)"), row)
        yield rival


def test_a_deadlock_is_not_told_to_the_client(world: World) -> None:
    instance_id = world.created()
    operation_id = world.instance(instance_id).operation_id
    before = _count(world, "Innodb_deadlocks")
    with _rival(world, instance_id) as rival:
        delete = Asking(world, "DELETE", f"instances/{instance_id}")
        delete.start()  # takes the operation's row, and waits for the instance's
        wait_for(lambda: _waiting(world), 20, "the delete to wait")
        rival.execute(sa.select(Operation.id).where(Operation.id == operation_id).with_for_update())
    delete.join(30)
    assert _count(world, "Innodb_deadlocks") == before + 1
    assert delete.status == 202
    assert world.operation(operation_id).requested == "cancel"
    assert world.instance(instance_id).task == "DELETING"


def test_a_lock_that_is_long_in_coming_is_waited_for_again(world: World) -> None:
    instance_id = world.created()
    seen = threading.Event()

    @sa.event.listens_for(world.database.engine, "handle_error")
    def note(context: sa.engine.ExceptionContext) -> None:
        if getattr(context.original_exception, "args", (0,))[0] == pymysql.constants.ER.LOCK_WAIT_TIMEOUT:
            seen.set()

    @sa.event.listens_for(world.database.engine, "begin")
    def hasten(connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 1")

    with _rival(world, instance_id):
        delete = Asking(world, "DELETE", f"instances/{instance_id}")
        delete.start()
        assert seen.wait(20)
    delete.join(30)
    assert delete.status == 202


def test_who_is_given_up_again_and_again_is_told_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def give_up(*_: object) -> None:
        calls.append(1)
        raise sa.exc.OperationalError("SELECT", {}, pymysql.err.OperationalError(1213, "Deadlock found"))

    monkeypatch.setattr("dbflow.services.instances.load_with_operation", give_up)
    assert world.ask("DELETE", f"instances/{world.created()}").status_code == 503
    assert len(calls) == 8
