# SPDX-License-Identifier: Apache-2.0
"""A source and its replicas: real servers, with somebody who tries to write to all of them all the time."""

import contextlib
import dataclasses
import pathlib
import threading
import time
from collections.abc import Iterator

import pymysql
import pytest

from dbflow.datastores.gtid import transactions
from dbflow.datastores.mariadb import ADMIN_USER, REPLICATION_USER
from dbflow.status import Service
from guest.datastores.base import DatastoreError
from guest.tasks.eject import FollowElected, SettleReplica, Succeed, TakeOver
from guest.tasks.replication import (
    HOLD_TIMEOUT,
    BeginReplica,
    CatchUp,
    Demote,
    DismissReplica,
    ExpectLess,
    HoldWrites,
    KeepReplicas,
    LeaveSource,
    OpenWrites,
    Repoint,
    RequireAcknowledgement,
    StandUp,
)
from tests.contract.kits.base import Refused
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.mariadb.trio import (
    LOGIN,
    Trio,
    add_replica,
    bound,
    copy,
    endpoint,
    prepare,
    run,
    sampler,
    trio,
    undo,
)
from tests.contract.site import TIMEOUT, Site, new_site
from tests.objects.vault import Vault, vault
from tests.sampler import Sampler
from tests.waiting import wait_for

LOCK = 1.0
"""Seconds for which a copy may keep who writes from that."""
NONE = {"there": 0, "follow": 0}
POSITIONS = "SELECT @@GLOBAL.gtid_binlog_pos, @@GLOBAL.gtid_slave_pos"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("objects")) as made:
        yield made


@pytest.fixture(scope="module")
def three(kit: MariaDBKit, image: pathlib.Path, store: Vault) -> Iterator[Trio]:
    with trio(kit, image, store) as made:
        yield made


def asked(site: Site, statement: str) -> list[tuple[object, ...]]:
    """What dbflow's administrator is answered."""
    with site.datastore.lifecycle._client.session() as session:  # type: ignore[attr-defined]
        rows: list[tuple[object, ...]] = session.rows(statement)
        return rows


def read_only(site: Site) -> bool:
    return asked(site, "SELECT @@GLOBAL.read_only") == [(1,)]


def wait_caught_up(replica: Site, source: Site) -> None:
    """All that was written to the source, whose commits wait for one replica to have it, and for none to apply it."""
    wait_for(lambda: asked(replica, POSITIONS)[0][0] == asked(source, POSITIONS)[0][0], 30, "the last statement")


def numbers(site: Site) -> set[int]:
    return {int(str(row[0])) for row in asked(site, "SELECT n FROM shop.samples")}


@contextlib.contextmanager
def sampling(members: Trio) -> Iterator[Sampler]:
    """Nobody sees two writable ones, and what was acknowledged is on all in the end."""
    with sampler(members.members, members.password) as watch:
        watch.wait_more(1)
        yield watch
        watch.wait_more(1)
    assert watch.violations == []
    kept = set(watch.acknowledged)
    for member in members.members:
        wait_for(lambda member=member: kept <= numbers(member), 30, "all that was acknowledged, everywhere")
    assert [read_only(member) for member in members.members] == [False, True, True]


def test_replicas_follow_and_are_read_only(three: Trio) -> None:
    three.source.kit.query(three.source.machine, "app", three.password, "CREATE TABLE t AS SELECT 1 AS n", "shop")
    for replica in three.others:
        wait_for(lambda replica=replica: asked(replica, "SHOW TABLES IN shop LIKE 't'"), 30, "the table")
        with pytest.raises(Refused, match="read-only"):
            replica.kit.query(replica.machine, "app", three.password, "INSERT INTO t VALUES (2)", "shop")


def test_a_commit_waits_for_a_replica(three: Trio) -> None:
    assert asked(three.source, "SHOW STATUS LIKE 'Rpl_semi_sync_master_clients'") == [
        ("Rpl_semi_sync_master_clients", "2")
    ]
    assert asked(three.source, "SELECT @@rpl_semi_sync_master_wait_point") == [("AFTER_SYNC",)]
    for replica in three.others:
        asked(replica, "STOP SLAVE IO_THREAD")
    answered = threading.Event()

    def write() -> None:
        three.source.kit.query(three.source.machine, "app", three.password, "CREATE TABLE waited (n INT)", "shop")
        answered.set()

    writer = threading.Thread(target=write)
    writer.start()
    waits = "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for semi-sync ACK%'"
    wait_for(lambda: asked(three.source, waits), 30, "a commit that waits")
    assert not answered.is_set()
    asked(three.others[0], "START SLAVE IO_THREAD")
    assert answered.wait(30)
    asked(three.others[1], "START SLAVE IO_THREAD")
    writer.join()


def test_a_commit_waits_so_long_where_that_is_configured(three: Trio) -> None:
    """Then for nobody, until a replica has come back."""
    status = "SHOW STATUS LIKE 'Rpl_semi_sync_master_status'"
    run(RequireAcknowledgement, three.source, replication=LOGIN | {"fallback": 1.0})
    for replica in three.others:
        asked(replica, "STOP SLAVE IO_THREAD")
    began = time.monotonic()
    three.source.kit.query(three.source.machine, "app", three.password, "CREATE TABLE fell_back (n INT)", "shop")
    assert 0.9 <= time.monotonic() - began < 15.0
    assert asked(three.source, status) == [("Rpl_semi_sync_master_status", "OFF")]
    for replica in three.others:
        asked(replica, "START SLAVE IO_THREAD")
    wait_for(lambda: asked(three.source, status) == [("Rpl_semi_sync_master_status", "ON")], 30, "a replica")
    run(RequireAcknowledgement, three.source, replication=LOGIN)


def test_two_that_are_writable_are_seen(three: Trio) -> None:
    """By the one whom all tests of replicas rely on."""
    with sampler(three.members, three.password, keeps=False) as watch:
        asked(three.others[0], "SET GLOBAL read_only = 0")
        try:
            wait_for(lambda: watch.violations, 30, "somebody to see it")
        finally:
            asked(three.others[0], "SET GLOBAL read_only = 1")
    assert watch.violations[0].endswith("two writable members: 0, 1")
    assert asked(three.others[0], "SELECT COUNT(*) FROM shop.samples") == asked(
        three.source, "SELECT COUNT(*) FROM shop.samples"
    )


def test_both_come_back_as_what_they_were(three: Trio) -> None:
    three.others[0].datastore.lifecycle.restart(TIMEOUT)
    assert read_only(three.others[0])
    three.source.datastore.lifecycle.restart(TIMEOUT)
    assert not read_only(three.source)
    assert asked(three.source, "SELECT @@rpl_semi_sync_master_enabled, @@rpl_semi_sync_master_timeout > 1e10") == [
        (1, 1)
    ]
    # They are there again by themselves, and a commit ends.
    three.source.kit.query(three.source.machine, "app", three.password, "CREATE TABLE after_restarts (n INT)", "shop")
    process = three.others[1].process()
    assert process is not None
    process.kill()
    process.wait()
    assert three.others[1].datastore.lifecycle.health().service_status == Service.CRASHED
    three.others[1].datastore.lifecycle.resume()
    assert read_only(three.others[1])


def test_a_replica_that_was_killed_before_it_noted_what_it_had_logged(three: Trio) -> None:
    """Made so by hand: the moment, in the middle of a CREATE TABLE, is too short to be hit."""
    replica = three.others[0]
    server = replica.process()
    assert server is not None
    wait_caught_up(replica, three.source)
    asked(replica, "STOP SLAVE")
    ((logged, noted),) = asked(replica, POSITIONS)
    assert logged == noted
    stem, _, number = str(logged).rpartition("-")
    asked(replica, "SET GLOBAL gtid_strict_mode = 0")
    asked(replica, f"SET GLOBAL gtid_slave_pos = '{stem}-{int(number) - 1}'")
    server.kill()
    server.wait()
    replica.datastore.lifecycle.resume()
    three.source.kit.query(three.source.machine, "app", three.password, "CREATE TABLE later (n INT)", "shop")
    wait_for(lambda: asked(replica, "SHOW TABLES IN shop LIKE 'later'"), 30, "the next table")


def test_an_agent_that_died_while_it_made_a_replica_go_on(three: Trio) -> None:
    replica = three.others[0]
    asked(replica, "STOP SLAVE")
    replica.after_agent_restart().lifecycle.resume()
    three.source.kit.query(three.source.machine, "app", three.password, "CREATE TABLE latest (n INT)", "shop")
    wait_for(lambda: asked(replica, "SHOW TABLES IN shop LIKE 'latest'"), 30, "the next table")


def test_promote(three: Trio) -> None:
    with sampling(three):
        three.promote(three.others[1])
    with sampling(three):
        three.promote(three.others[0])


@pytest.mark.parametrize("steps", range(1, 7))
def test_a_promote_is_undone_from_each_step(three: Trio, steps: int) -> None:
    """Every step done so far is undone in the opposite order; the last one may have let writes in."""
    old, candidate, other = three.members
    with sampling(three) as watch:
        held = run(HoldWrites, old)
        place = endpoint(candidate)
        if steps > 1:
            assert run(CatchUp, candidate, source=held) == place
        if steps > 2:
            run(StandUp, candidate, replication=LOGIN)
        if steps > 3:
            run(Repoint, other, candidate=place, replication=LOGIN)
        if steps > 4:
            run(Demote, old, candidate=place, replication=LOGIN)
        if steps > 5:
            run(OpenWrites, candidate)
            watch.wait_more(1)  # to the candidate
            undo(OpenWrites, candidate)
        if steps > 4:
            undo(Demote, old, source=held, candidate=place, replication=LOGIN)
        if steps > 3:
            undo(Repoint, other, source=held, replication=LOGIN)
        if steps > 2:
            undo(StandUp, candidate, source=held, replication=LOGIN)
        undo(HoldWrites, old)


def test_clients_that_hold_locks_are_ended(three: Trio) -> None:
    """A transaction that is open, and a statement that takes long, lose what they did not commit."""
    kit, old = three.source.kit, three.source
    assert isinstance(kit, MariaDBKit)
    with (
        contextlib.closing(kit.connect(old.machine, "app", three.password, "shop")) as idle,
        contextlib.closing(kit.connect(old.machine, "app", three.password, "shop")) as busy,
    ):
        cursor = idle.cursor()
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO samples VALUES (-1)")
        failed: list[Exception] = []

        def sleep() -> None:
            try:
                busy.cursor().execute("INSERT INTO samples SELECT -2 FROM (SELECT SLEEP(600)) AS long_one")
            except pymysql.Error as error:
                failed.append(error)

        sleeper = threading.Thread(target=sleep)
        sleeper.start()
        seen = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%long_one' AND USER = 'app'"
        wait_for(lambda: asked(old, seen), 30, "a statement that takes long")
        began = time.monotonic()
        run(HoldWrites, old)
        assert time.monotonic() - began < HOLD_TIMEOUT / 2
        sleeper.join(30)
        assert failed
        with pytest.raises(pymysql.Error):
            cursor.execute("COMMIT")
    undo(HoldWrites, old)
    assert not {-1, -2} & numbers(old)


def test_eject(kit: MariaDBKit, image: pathlib.Path, store: Vault) -> None:
    """The source is killed while it is written to: what it acknowledged is on the one that takes over, and it is
    read-only when it comes back."""
    with trio(kit, image, store) as members:
        source, everybody = members.source, members.members
        with sampler(everybody, members.password) as watch:
            watch.wait_more(20)
            process = source.process()
            assert process is not None
            process.kill()
            process.wait()
            answers = {replica.machine.instance_id: run(SettleReplica, replica) for replica in members.others}
            freshest = max(
                members.others, key=lambda one: transactions(answers[one.machine.instance_id]["position"])["0"]
            )
            (other,) = [replica for replica in members.others if replica is not freshest]
            candidate = answers[freshest.machine.instance_id]
            run(Succeed, freshest, others=1, replication=LOGIN)
            for replica in members.others:
                bound(FollowElected, replica).execute(
                    instance_id=replica.machine.instance_id,
                    elected=freshest.machine.instance_id,
                    settled=answers[replica.machine.instance_id],
                    candidate=candidate,
                    replication=LOGIN,
                )
            run(TakeOver, freshest)
            fenced = dataclasses.replace(source, machine=dataclasses.replace(source.machine, fenced=True))
            fenced.datastore = fenced.after_agent_restart()
            fenced.datastore.lifecycle.resume()
            watch.wait_more(10)  # to the new source
        assert watch.violations == []
        for replica in (freshest, other):
            wait_for(lambda replica=replica: set(watch.acknowledged) <= numbers(replica), 30, "all of it")
        with pytest.raises(DatastoreError, match="stays read-only"):
            undo(HoldWrites, fenced)
        assert [read_only(one) for one in (fenced, freshest, other)] == [True, False, True]
        # Written to, it can't be taken back any more; nobody else can be written to, so it stays as it is.
        with pytest.raises(DatastoreError, match="written to"):
            undo(TakeOver, freshest, candidate=candidate)
        assert not read_only(freshest)


@pytest.mark.parametrize("steps", range(1, 5))
def test_an_eject_is_undone_from_each_step(three: Trio, steps: int) -> None:
    """The source was silent, not dead: it is the source still, and whatever it takes goes to the replicas."""
    first, second = three.others
    answers = [run(SettleReplica, replica) for replica in (first, second)]
    assert [answer["source"] for answer in answers] == [endpoint(three.source)] * 2
    names = {"elected": "first", "candidate": answers[0]}
    if steps > 1:
        run(Succeed, first, others=1, replication=LOGIN)
    follow = bound(FollowElected, second)
    if steps > 2:
        follow.execute(instance_id="second", settled=answers[1], replication=LOGIN, **names)
    if steps > 3:
        run(TakeOver, first)
        undo(TakeOver, first, candidate=answers[0])
    if steps > 2:
        follow.revert(instance_id="second", settled=answers[1], replication=LOGIN, **names)
    if steps > 1:
        undo(Succeed, first, candidate=answers[0], replication=LOGIN)
    for replica in (first, second):
        undo(SettleReplica, replica)
    with sampling(three):
        pass


def test_root_writes_to_the_source_only(three: Trio) -> None:
    """Also one that was let in before there were replicas, and whoever it gave its rights to."""
    root = three.source.password()
    three.source.accounts.enable_root(root)
    kit = three.source.kit
    kit.query(three.source.machine, "root", root, "CREATE TABLE of_root (n INT)", "shop")
    for replica in three.others:
        wait_caught_up(replica, three.source)  # it is there before it is let in
        assert replica.accounts.root_enabled()
        with pytest.raises(Refused, match="read-only"):
            kit.query(replica.machine, "root", root, "INSERT INTO of_root VALUES (1)", "shop")
        with pytest.raises(Refused, match="denied"):
            kit.query(replica.machine, "root", root, "SET GLOBAL read_only = 0")
    three.source.accounts.disable_root()


def test_who_had_all_rights_before_there_were_replicas(kit: MariaDBKit, image: pathlib.Path, store: Vault) -> None:
    with new_site(kit, image) as source, new_site(kit, image) as replica:
        source.install()
        root = source.password()
        source.accounts.enable_root(root)
        for statement in (
            "CREATE USER `de'p\\uty` IDENTIFIED BY 'of-the-deputy'",
            "GRANT ALL ON *.* TO `de'p\\uty` WITH GRANT OPTION",
            "CREATE ROLE `bo's\\s`",
            "GRANT ALL ON *.* TO `bo's\\s`",
            "CREATE USER employee IDENTIFIED BY 'of-the-employee'",
            "GRANT `bo's\\s` TO employee",
            "SET DEFAULT ROLE `bo's\\s` FOR employee",
            "CREATE USER passer_by IDENTIFIED BY 'of-the-passer-by'",
            "GRANT CREATE, READ_ONLY ADMIN ON *.* TO PUBLIC",
        ):
            kit.query(source.machine, "root", root, statement)
        add_replica(source, replica, store, "of-root")
        for name, password in (
            ("root", root),
            ("de'p\\uty", "of-the-deputy"),
            ("employee", "of-the-employee"),
            ("passer_by", "of-the-passer-by"),
        ):
            with pytest.raises(Refused, match="read-only"):
                kit.query(replica.machine, name, password, "CREATE DATABASE mine")
        assert asked(source, f"SELECT COUNT(*) FROM mysql.global_priv WHERE User = '{ADMIN_USER}'") == [(1,)]
        # The only replica goes: nobody is waited for, and nobody can log in as one.
        assert run(ExpectLess, source, last=True) == endpoint(source)
        run(LeaveSource, replica)
        run(DismissReplica, source, last=True)
        run(OpenWrites, replica)
        for site in (source, replica):
            kit.query(site.machine, "root", root, "CREATE DATABASE on_its_own")
            assert asked(site, f"SELECT COUNT(*) FROM mysql.global_priv WHERE User = '{REPLICATION_USER}'") == [(0,)]
            site.datastore.lifecycle.restart(TIMEOUT)
            assert not read_only(site)
            assert asked(site, "SELECT @@rpl_semi_sync_master_enabled, @@rpl_semi_sync_slave_enabled") == [(0, 0)]


def test_a_detach_is_undone_unless_it_was_written_to(kit: MariaDBKit, image: pathlib.Path, store: Vault) -> None:
    with trio(kit, image, store, replicas=1) as pair:
        (replica,) = pair.others
        for writes in (False, True):
            place = run(ExpectLess, pair.source, last=True)
            run(LeaveSource, replica)
            run(DismissReplica, pair.source, last=True)
            run(OpenWrites, replica)
            if writes:
                kit.query(replica.machine, "app", pair.password, "CREATE TABLE own (n INT)", "shop")
            undo(OpenWrites, replica)
            assert read_only(replica)
            undo(DismissReplica, pair.source, last=True, replication=LOGIN)
            if writes:
                for _ in range(5):  # the source does not refuse it at once
                    with pytest.raises(DatastoreError, match="does not follow its source"):
                        undo(LeaveSource, replica, source=place, replication=LOGIN)
            else:
                undo(LeaveSource, replica, source=place, replication=LOGIN)
                undo(ExpectLess, pair.source, last=True, replication=LOGIN)
                kit.query(pair.source.machine, "app", pair.password, "CREATE TABLE both_have (n INT)", "shop")
        undo(ExpectLess, pair.source, last=True, replication=LOGIN)
        for follow in (1, 0):
            run(KeepReplicas, pair.source, replicas={"there": 1, "follow": follow})
            assert asked(pair.source, "SELECT @@rpl_semi_sync_master_enabled") == [(follow,)]
        run(KeepReplicas, replica, replicas=NONE)  # it is another one's by now
        assert asked(replica, "SELECT @@read_only, @@rpl_semi_sync_slave_enabled") == [(1, 1)]
        run(KeepReplicas, pair.source, replicas=NONE)
        kit.query(pair.source.machine, "app", pair.password, "CREATE TABLE alone (n INT)", "shop")


def test_a_replica_that_begins_twice(three: Trio) -> None:
    """As after the agent's death in its middle: what it applied since is not applied again."""
    made = {"position": {"gtid": "0-1-1"}}
    replica = three.others[0]
    wait_caught_up(replica, three.source)
    before = asked(replica, "SELECT @@gtid_binlog_pos")
    run(BeginReplica, replica, endpoint=endpoint(three.source), replication=LOGIN, made=made)
    assert asked(replica, "SELECT @@gtid_binlog_pos") == before


def test_a_source_that_is_not_reached(three: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guest.tasks.replication.FOLLOW_TIMEOUT", 0.5)
    replica, home = three.others[0], endpoint(three.source)
    with pytest.raises(DatastoreError, match="does not reach its source"):
        run(Repoint, replica, candidate=home | {"port": 9}, replication=LOGIN)
    monkeypatch.undo()
    undo(Repoint, replica, source=home, replication=LOGIN)


def test_no_password_is_left_in_a_log(kit: MariaDBKit, image: pathlib.Path, store: Vault) -> None:
    with new_site(kit, image) as source, new_site(kit, image) as replica:
        source.install()
        root = source.password()
        source.accounts.enable_root(root)
        for statement in kit.log_everything:
            kit.query(source.machine, "root", root, statement)
        add_replica(source, replica, store, "logged")
        for statement in kit.log_everything:
            asked(replica, statement)
        run(Repoint, replica, candidate=endpoint(source) | {"address": source.machine.address}, replication=LOGIN)
        run(LeaveSource, replica)
        undo(LeaveSource, replica, source=endpoint(source), replication=LOGIN)
        secret = LOGIN["password"].encode()  # type: ignore[union-attr, attr-defined]
        for site in (source, replica):
            kit.query(site.machine, "root", root, "SELECT 'a mark'")
            assert any("a mark" in log for log in kit.logged(site.machine))
            found = [path for path in site.machine.data_dir.parent.rglob("*") if path.is_file()]
            holders = {path.name for path in found if secret in path.read_bytes()}
            # MariaDB itself keeps it there, for its own user only.
            assert holders <= ({"master.info"} if site is replica else set())


def test_a_copy_of_a_source_that_is_written_to(kit: MariaDBKit, image: pathlib.Path, store: Vault) -> None:
    """Whatever was written before, during and after the copy is on the replica, and nobody waited for long."""
    with new_site(kit, image) as source, new_site(kit, image) as replica:
        source.install()
        password = source.password()
        prepare(source, password)
        kit.fill(source.machine, "app", password, "shop", 3)
        with kit.writing(source.machine, "app", password, "shop") as load:
            load.wait_more()
            add_replica(source, replica, store, "loaded")
            begun = load.wait_more()
            longest = [load.longest()]
            # A machine that has other work to do makes them wait, too; a lock would do so each time.
            while min(longest) >= LOCK and len(longest) < 6:
                copy(source, store, f"loaded-{len(longest)}")
                ended = load.wait_more()
                longest.append(load.longest(begun))
                begun = ended
        assert min(longest) < LOCK, longest
        last = kit.written(source.machine, "app", password, "shop")
        reached = asked(source, "SELECT @@gtid_binlog_pos")
        wait_for(lambda: asked(replica, "SELECT @@gtid_binlog_pos") == reached, 30, "the last of it")
        assert asked(replica, "SELECT COUNT(*) FROM shop.two") == [(last.count,)]
        assert asked(source, "CHECKSUM TABLE shop.one, shop.two") == asked(replica, "CHECKSUM TABLE shop.one, shop.two")
