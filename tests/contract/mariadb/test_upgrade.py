# SPDX-License-Identifier: Apache-2.0
"""The steps of an upgrade on the real server, and what else is tried between them. The release stays: what is looked
at is who may start a server, and what is given up."""

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator

import psutil
import pytest

from dbflow.status import Service
from guest.datastores.base import DatabaseSpec, DatastoreError, Upgrade, WrittenSince
from guest.datastores.mariadb import point, release, role
from guest.datastores.mariadb import upgrade as module
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.role import Part, Role
from tests.contract.site import SETTINGS, TIMEOUT, Site

POINT = "p"


@pytest.fixture
def upgrade(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upgrade]:
    """Stopped, with a backup point; it is undone. The tables are of the release already."""
    monkeypatch.setattr(module.Upgrade, "_upgrade_tables", lambda *_: None)
    upgrade = site.datastore.upgrade
    assert upgrade is not None
    upgrade.stop()
    upgrade.take_point(POINT, threading.Event())
    yield upgrade
    role.save(Layout.of(site.machine), Role())
    site.datastore.lifecycle.stop(TIMEOUT)
    upgrade.go_back(POINT)
    upgrade.start_again()
    assert status(site) == Service.HEALTHY


def status(site: Site) -> str:
    return site.datastore.lifecycle.health().service_status


def run(site: Site, upgrade: Upgrade) -> None:
    upgrade.run(SETTINGS, release.of_programs(Layout.of(site.machine)), threading.Event())


def write(site: Site, name: str) -> None:
    site.accounts.create_databases([DatabaseSpec(name)])


@contextlib.contextmanager
def refused(site: Site, why: str) -> Iterator[Upgrade]:
    """After the block the check of an upgrade refuses it, and touches nothing."""
    upgrade = site.datastore.upgrade
    assert upgrade is not None
    process, volume = site.process(), set(site.machine.data_dir.iterdir())
    yield upgrade
    with pytest.raises(DatastoreError, match=why):
        upgrade.check(POINT)
    assert (site.process(), set(site.machine.data_dir.iterdir())) == (process, volume)
    assert status(site) == Service.HEALTHY
    with Client(Layout.of(site.machine)).session() as session:
        assert session.rows("SELECT @@GLOBAL.innodb_fast_shutdown, @@GLOBAL.read_only") == [(1, 0)]


def test_a_prepared_transaction_refuses_it(site: Site) -> None:
    write(site, "xa")
    with refused(site, "prepared XA transactions; commit or roll them back") as upgrade:
        upgrade.check(POINT)
        with Client(Layout.of(site.machine)).session() as session:
            session.run("CREATE TABLE xa.t (i INT) ENGINE=InnoDB")
            for statement in ("XA START 'x'", "INSERT INTO xa.t VALUES (1)", "XA END 'x'", "XA PREPARE 'x'"):
                session.run(statement)
    with Client(Layout.of(site.machine)).session() as session:
        assert [row[-1] for row in session.rows("XA RECOVER")] == [b"x"]
        session.run("XA COMMIT 'x'")
        assert session.rows("SELECT i FROM xa.t") == [(1,)]
    upgrade.check(POINT)


def test_a_volume_without_room_refuses_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume on which the copy does not fit beside what the upgrade is to have: all that is free."""
    with refused(site, "needs .* GiB of the volume for a backup point, and .* GiB are free") as upgrade:
        upgrade.check(POINT)
        monkeypatch.setattr(point, "_ROOM", shutil.disk_usage(site.machine.data_dir).free)
    monkeypatch.undo()
    upgrade.check(POINT)


def test_a_start_that_is_refused_is_in_nobodys_way(
    site: Site, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a server whose data is half upgraded, by programs of either release: going back is possible still."""

    def fail(*_: object) -> None:
        raise DatastoreError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(module.Upgrade, "_upgrade_tables", fail)
        with pytest.raises(DatastoreError, match="no room"):
            run(site, upgrade)
    upgrade.halt()
    for start in (site.datastore.lifecycle.start, site.datastore.lifecycle.restart):
        with pytest.raises(DatastoreError, match=r"\(unfinished\).* only an upgrade may"):
            start(TIMEOUT)
        assert status(site) == Service.SHUTDOWN
    upgrade.halt()
    upgrade.go_back(POINT)
    site.datastore.lifecycle.start(TIMEOUT)


def test_an_opening_that_failed_is_not_tried_again_by_the_agent(site: Site, upgrade: Upgrade) -> None:
    run(site, upgrade)
    taken = socket.create_server((site.machine.address, site.machine.port))
    with taken, pytest.raises(DatastoreError, match="does not start"):
        upgrade.open()
    assert status(site) == Service.SHUTDOWN
    site.datastore.lifecycle.resume()
    assert site.process() is None
    upgrade.close()
    assert site.process() is None
    upgrade.halt()


def test_whoever_starts_it_after_all_may_write(site: Site, upgrade: Upgrade) -> None:
    run(site, upgrade)
    with socket.create_server((site.machine.address, site.machine.port)), pytest.raises(DatastoreError):
        upgrade.open()
    site.datastore.lifecycle.start(TIMEOUT)
    write(site, "late")
    with pytest.raises(WrittenSince):
        upgrade.close()


def test_users_are_sent_away_once(site: Site, upgrade: Upgrade) -> None:
    """To see that it was written to; not for each further try to give it up."""
    run(site, upgrade)
    upgrade.open()
    write(site, "new")
    for _ in range(2):
        with pytest.raises(WrittenSince):
            upgrade.close()
        assert status(site) == Service.HEALTHY
        process = site.process()
    with pytest.raises(WrittenSince):
        upgrade.close()
    assert site.process() == process


def test_what_a_replica_acknowledged_is_kept_while_its_source_is_away(site: Site, upgrade: Upgrade) -> None:
    run(site, upgrade)
    upgrade.open()
    write(site, "acknowledged")
    role.save(Layout.of(site.machine), Role(Part.REPLICA))
    with pytest.raises(WrittenSince):
        upgrade.close()


def test_one_that_dies_in_its_shutdown_has_not_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = site.datastore.upgrade
    assert upgrade is not None
    with monkeypatch.context() as patched:
        patched.setattr(psutil.Process, "terminate", psutil.Process.kill)
        with pytest.raises(DatastoreError, match="died while it stopped"):
            upgrade.stop()
    upgrade.start_again()
    with Client(Layout.of(site.machine)).session() as session:
        assert session.rows("SELECT @@GLOBAL.innodb_fast_shutdown") == [(1,)]
