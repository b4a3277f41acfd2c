# SPDX-License-Identifier: Apache-2.0
"""What a set of replicas could lose, or hang for, when something else goes on at the same time."""

import contextlib
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dbflow.status import Service
from guest.datastores.base import Away, DatastoreError
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.layout import Layout
from guest.tasks.accounts import AddDatabases, ListDatabases
from guest.tasks.backup import RestoreBackup
from guest.tasks.eject import SettleReplica
from guest.tasks.replication import (
    CatchUp,
    Demote,
    ExpectLess,
    HoldWrites,
    OpenWrites,
    RequireAcknowledgement,
    RestoreReplica,
    StandUp,
    origin,
)
from tests.contract.kits.base import Refused
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.mariadb.trio import LOGIN, Trio, add_replica, copy, endpoint, run, trio, undo
from tests.contract.site import SETTINGS, TIMEOUT, Site, new_site
from tests.objects.vault import Vault, vault
from tests.waiting import wait_for

CLIENTS = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND INFO LIKE 'INSERT%'"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("objects")) as made:
        yield made


@pytest.fixture(scope="module")
def pair(kit: MariaDBKit, image: pathlib.Path, store: Vault) -> Iterator[Trio]:
    with trio(kit, image, store, replicas=1) as made:
        yield made


def asked(site: Site, statement: str) -> list[Any]:
    """What dbflow's administrator is answered."""
    with Client(Layout.of(site.machine)).session() as session:
        return list(session.rows(statement))


def write(pair: Trio, statement: str) -> None:
    pair.source.kit.query(pair.source.machine, "app", pair.password, statement, "shop")


def kill(site: Site) -> None:
    process = site.process()
    assert process is not None
    process.kill()
    process.wait()


@contextlib.contextmanager
def meanwhile(what: Callable[[], object]) -> Iterator[threading.Thread]:
    """In a thread, which has ended when the block has."""
    thread = threading.Thread(target=what)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(60)
    assert not thread.is_alive()


def test_a_replica_that_is_restarted_applies_first_what_it_received(pair: Trio) -> None:
    """Its source is dead: nobody would send it again."""
    (replica,) = pair.others
    with contextlib.closing(Client(Layout.of(replica.machine)).connect(60)) as locking:
        locking.cursor().execute("LOCK TABLES shop.samples READ")
        write(pair, "INSERT INTO samples VALUES (-7)")
        kill(pair.source)
        with meanwhile(lambda: replica.datastore.lifecycle.restart(TIMEOUT)):
            waits = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT MASTER_GTID_WAIT%'"
            wait_for(lambda: asked(replica, waits), 30, "the restart to wait")
            locking.cursor().execute("UNLOCK TABLES")
    assert asked(replica, "SELECT n FROM shop.samples WHERE n = -7") == [(-7,)]
    pair.source.datastore.lifecycle.start(TIMEOUT)
    write(pair, "INSERT INTO samples VALUES (-8)")


def test_a_replica_that_has_not_time_enough_goes_on(pair: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    (replica,) = pair.others
    monkeypatch.setattr("guest.datastores.mariadb.lifecycle._APPLY_TIMEOUT", 0.2)
    process = replica.process()
    with contextlib.closing(Client(Layout.of(replica.machine)).connect(60)) as locking:
        locking.cursor().execute("LOCK TABLES shop.samples READ")
        write(pair, "INSERT INTO samples VALUES (-9)")
        with pytest.raises(DatastoreError, match="did not apply"):
            replica.datastore.lifecycle.restart(TIMEOUT)
    assert replica.process() == process
    write(pair, "INSERT INTO samples VALUES (-10)")
    asked(replica, "STOP SLAVE SQL_THREAD")  # one that is broken is not waited for
    replica.datastore.lifecycle.restart(TIMEOUT)
    wait_for(lambda: asked(replica, "SELECT n FROM shop.samples WHERE n = -10"), 30, "all of it")


def test_who_waits_for_a_replica_does_not_keep_it_out(pair: Trio) -> None:
    """All connections of the source are taken by clients that wait for it."""
    (replica,) = pair.others
    most = asked(pair.source, "SELECT @@GLOBAL.max_connections")[0][0]
    asked(pair.source, "SET GLOBAL max_connections = 10")
    asked(replica, "STOP SLAVE IO_THREAD")
    ends: list[object] = []

    def insert(connection: Any, number: int) -> None:
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO samples VALUES ({number})")
        ends.append(number)

    threads: list[threading.Thread] = []
    kit = pair.source.kit
    assert isinstance(kit, MariaDBKit)

    def full() -> bool:
        """The replica's old connection may be counted for a moment yet."""
        with contextlib.suppress(Refused):
            while True:
                connection = kit.connect(pair.source.machine, "app", pair.password, "shop")
                threads.append(threading.Thread(target=insert, args=(connection, 1000 + len(threads))))
                threads[-1].start()
        return asked(pair.source, CLIENTS) == [(10,)]

    wait_for(full, 30, "ten commits that wait")
    assert ends == []
    asked(replica, "START SLAVE IO_THREAD")
    for thread in threads:
        thread.join(30)
    assert len(ends) == len(threads) == 10
    asked(pair.source, f"SET GLOBAL max_connections = {most}")


def test_accounts_of_a_server_that_is_held_are_not_changed(pair: Trio) -> None:
    """A call of the API that was on its way when the source was made read-only."""
    run(HoldWrites, pair.source)
    with pytest.raises(DatastoreError, match="read-only"):
        run(AddDatabases, pair.source, databases=[{"name": "late"}])
    assert {"name": "shop"}.items() <= run(ListDatabases, pair.source)[0].items()
    undo(HoldWrites, pair.source)
    run(AddDatabases, pair.source, databases=[{"name": "late"}])


def test_undoing_an_old_promote_leaves_a_replica_what_it_is(pair: Trio) -> None:
    (replica,) = pair.others
    undo(HoldWrites, replica)
    assert asked(replica, "SELECT @@GLOBAL.read_only") == [(1,)]


def test_root_is_not_in_before_it_has_lost_what_it_must_not_have(pair: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    root, tried, statement = pair.source.password(), list[str](), Session.run

    def watched(session: Session, text: str) -> None:
        statement(session, text)
        if text.startswith("GRANT ALL"):
            with pytest.raises(Refused, match="locked"):
                pair.source.kit.query(pair.source.machine, "root", root, "SELECT 1")
            tried.append(text)

    monkeypatch.setattr(Session, "run", watched)
    pair.source.accounts.enable_root(root)
    assert len(tried) == 1
    pair.source.kit.query(pair.source.machine, "root", root, "SELECT 1")
    pair.source.accounts.disable_root()


def test_a_replica_that_does_not_follow_is_not_healthy(pair: Trio) -> None:
    (replica,) = pair.others
    for thread in ("IO_THREAD", "SQL_THREAD"):
        asked(replica, f"STOP SLAVE {thread}")
        assert replica.datastore.lifecycle.health().service_status == Service.RUNNING
        asked(replica, "START SLAVE")
        wait_for(lambda: replica.datastore.lifecycle.health().service_status == Service.HEALTHY, 30, "it to be HEALTHY")


def test_a_replica_is_waited_for_when_it_is_up_to_date(pair: Trio) -> None:
    (replica,) = pair.others
    replication = replica.datastore.replication
    assert replication is not None
    source = origin(endpoint(pair.source), LOGIN)
    run(ExpectLess, pair.source, last=True)
    asked(replica, "STOP SLAVE")
    write(pair, "INSERT INTO samples VALUES (-20)")
    assert not replication.reach(source)
    asked(replica, "START SLAVE")
    wait_for(lambda: replication.reach(source), 30, "what was written meanwhile")
    run(RequireAcknowledgement, pair.source, replication=LOGIN)
    write(pair, "INSERT INTO samples VALUES (-21)")


def test_a_candidate_that_dies_keeps_what_only_it_may_have(pair: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoing a promote: the source goes on without it only where nothing can have been written to it."""
    old, (candidate,) = pair.source, pair.others
    for writes in (False, True):
        held = run(HoldWrites, old)
        place = run(CatchUp, candidate, source=held)
        run(StandUp, candidate, replication=LOGIN)
        run(Demote, old, candidate=place, replication=LOGIN)
        if writes:
            run(OpenWrites, candidate)
            candidate.kit.query(candidate.machine, "app", pair.password, "INSERT INTO samples VALUES (-30)", "shop")
            wait_for(lambda: asked(old, "SELECT n FROM shop.samples WHERE n = -30"), 30, "the row")
        kill(candidate)
        with monkeypatch.context() as hasty, pytest.raises(Away) if writes else contextlib.nullcontext():
            hasty.setattr("guest.tasks.replication.CATCH_UP_TIMEOUT", 2.0)
            undo(Demote, old, source=held, candidate=place, replication=LOGIN)
        if writes:
            assert asked(old, "SELECT @@GLOBAL.read_only") == [(1,)]
        candidate.datastore.lifecycle.start(TIMEOUT)
        if writes:
            undo(OpenWrites, candidate)
            undo(Demote, old, source=held, candidate=place, replication=LOGIN)
        undo(StandUp, candidate, source=held, replication=LOGIN)
        undo(HoldWrites, old)
        write(pair, f"INSERT INTO samples VALUES ({-31 - writes})")


def test_what_was_restored_from_a_replica_begins_its_own_history(
    pair: Trio, kit: MariaDBKit, image: pathlib.Path, store: Vault
) -> None:
    """It is promoted away from before anybody has written to it; and what never followed takes nobody's place."""
    with new_site(kit, image) as restored, new_site(kit, image) as replica:
        made = copy(pair.others[0], store, "of-a-replica")
        size = {"ram": SETTINGS.ram, "vcpus": SETTINGS.vcpus, "overrides": {}}
        run(RestoreBackup, restored, download=store.download({"of-a-replica": made}), **size)
        assert asked(restored, "SELECT @@GLOBAL.gtid_slave_pos, @@GLOBAL.read_only") == [("", 0)]
        made = copy(restored, store, "of-the-restored")
        run(RestoreReplica, replica, download=store.download({"of-the-restored": made}), **size)
        with pytest.raises(DatastoreError, match="never followed"):
            run(SettleReplica, replica)
        add_replica(restored, replica, store, "again")
        second = Trio(restored, [replica], pair.password)
        second.promote(replica)
        write(second, "INSERT INTO samples VALUES (-40)")
        wait_for(lambda: asked(restored, "SELECT n FROM shop.samples WHERE n = -40"), 30, "the row")
