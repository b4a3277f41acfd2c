# SPDX-License-Identifier: Apache-2.0
"""A replica that has received more than it has applied, and how several are applied at once."""

import concurrent.futures
import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from guest.datastores.base import DatastoreError, Interrupted
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout
from guest.tasks.base import GuestTask
from guest.tasks.eject import SettleReplica
from guest.tasks.replication import Approach
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.mariadb.trio import Trio, bound, run, trio, undo
from tests.contract.site import Site
from tests.objects.vault import vault
from tests.waiting import wait_for

WAITS = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT MASTER_GTID_WAIT%'"


@pytest.fixture(scope="module")
def pair(kit: MariaDBKit, image: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    with vault(tmp_path_factory.mktemp("objects")) as store, trio(kit, image, store, replicas=1) as made:
        yield made


def asked(site: Site, statement: str) -> list[Any]:
    """What dbflow's administrator is answered."""
    with Client(Layout.of(site.machine)).session() as session:
        return list(session.rows(statement))


def write(pair: Trio, statement: str) -> None:
    pair.source.kit.query(pair.source.machine, "app", pair.password, statement, "shop")


@contextlib.contextmanager
def behind(pair: Trio, number: int) -> Iterator[None]:
    """The replica has received what it can't apply before the end of the block: a row of this number."""
    (replica,) = pair.others
    with contextlib.closing(Client(Layout.of(replica.machine)).connect(60)) as locking:
        locking.cursor().execute("LOCK TABLES shop.samples READ")
        write(pair, f"INSERT INTO samples VALUES ({number})")
        yield


def test_nobody_waits_for_a_candidate_that_is_behind(pair: Trio) -> None:
    """Before it has applied what it received, the source is not held."""
    (replica,) = pair.others
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with behind(pair, -11):
            approach = pool.submit(run, Approach, replica)
            wait_for(lambda: asked(replica, WAITS), 30, "the candidate to wait")
            write(pair, "INSERT INTO samples VALUES (-12)")
            assert not approach.done()
        approach.result(30)
    assert asked(replica, "SELECT n FROM shop.samples WHERE n = -11")  # what it had received; more comes as it does
    wait_for(lambda: asked(replica, "SELECT n FROM shop.samples WHERE n = -12"), 30, "what was written meanwhile")


def test_a_candidate_that_is_too_far_behind(pair: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    (replica,) = pair.others
    monkeypatch.setattr("guest.tasks.replication.APPROACH_TIMEOUT", 0.1)
    with behind(pair, -13), pytest.raises(DatastoreError, match="s behind its source, and did not come nearer"):
        run(Approach, replica)
    monkeypatch.undo()
    monkeypatch.setattr("guest.tasks.replication.FOLLOW_TIMEOUT", 0.1)
    asked(replica, "STOP SLAVE")
    with pytest.raises(DatastoreError, match="does not reach its source: it tries to: nothing was changed"):
        run(Approach, replica)
    asked(replica, "START SLAVE")
    with pytest.raises(DatastoreError, match="follows nobody"):
        run(Approach, pair.source)


@pytest.mark.parametrize("kind", [Approach, SettleReplica])
def test_a_wait_for_what_is_applied_is_broken_off(pair: Trio, kind: type[GuestTask]) -> None:
    (replica,) = pair.others
    task = bound(kind, replica)
    with concurrent.futures.ThreadPoolExecutor() as pool, behind(pair, -14 if kind is Approach else -15):
        waiting = pool.submit(task.execute, instance_id="i")
        wait_for(lambda: asked(replica, WAITS), 30, "the replica to wait")
        task.interrupted.set()
        with pytest.raises(Interrupted):
            waiting.result(30)
    undo(kind, replica)
    write(pair, f"INSERT INTO samples VALUES ({-16 if kind is Approach else -17})")


def test_a_replica_applies_several_at_once_in_their_order(pair: Trio) -> None:
    """Transactions that are in each other's way, too."""
    (replica,) = pair.others
    assert asked(replica, "SELECT @@slave_parallel_threads, @@slave_parallel_mode, @@gtid_strict_mode") == [
        (2, "optimistic", 1)
    ]
    write(pair, "CREATE TABLE sums (id INT PRIMARY KEY, n INT)")
    write(pair, "INSERT INTO sums VALUES (0, 0), (1, 0)")

    def add(number: int) -> None:
        for _ in range(50):
            write(pair, f"UPDATE sums SET n = n + 1 WHERE id = {number % 2}")
            write(pair, f"INSERT INTO sums VALUES ({number + 10}, 1) ON DUPLICATE KEY UPDATE n = n + 1")

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(6)))
    position = "SELECT @@GLOBAL.gtid_binlog_pos"
    wait_for(lambda: asked(replica, position) == asked(pair.source, position), 60, "all of it")
    rows = "SELECT id, n FROM shop.sums ORDER BY id"
    assert asked(replica, rows) == asked(pair.source, rows)
    assert asked(replica, "SELECT n FROM shop.sums WHERE id < 2") == [(150,), (150,)]
