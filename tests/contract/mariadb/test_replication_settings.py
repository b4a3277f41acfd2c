# SPDX-License-Identifier: Apache-2.0
"""Settings of servers that replicate: groups, and what binary logs ask for."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from guest.datastores.mariadb import binlog
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout
from guest.tasks.configuration import ApplyConfiguration
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.mariadb.trio import Trio, run, trio
from tests.contract.site import SETTINGS, TIMEOUT, Site
from tests.objects.vault import Vault, vault
from tests.waiting import wait_for


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


def binary_logs(site: Site) -> list[str]:
    """Their names. In the newest the server notes by itself, a moment later, which of them it could do without."""
    return [name for name, *_ in asked(site, "SHOW BINARY LOGS")]


def test_each_keeps_the_values_of_its_own_group(pair: Trio) -> None:
    first, second = pair.members
    for site, connections in ((first, 77), (second, 66)):
        values = {"max_connections": connections, "back_log": connections}
        size = {"ram": SETTINGS.ram, "vcpus": SETTINGS.vcpus}
        assert run(ApplyConfiguration, site, overrides=values, old_overrides={}, **size)
    pair.promote(second)
    first.datastore.lifecycle.restart(TIMEOUT)
    wanted = "SELECT @@GLOBAL.max_connections, @@GLOBAL.back_log, @@GLOBAL.read_only"
    assert asked(first, wanted) == [(77, 77, 1)]
    second.datastore.lifecycle.restart(TIMEOUT)
    assert asked(second, wanted) == [(66, 66, 0)]
    write(pair, "CREATE TABLE after_groups (n INT)")
    wait_for(lambda: asked(first, "SHOW TABLES IN shop LIKE 'after_groups'"), 30, "the table")


def test_users_make_functions_and_triggers(pair: Trio) -> None:
    write(pair, "CREATE FUNCTION dice() RETURNS INT RETURN 1 + FLOOR(RAND() * 6)")
    write(pair, "CREATE TABLE thrown (n INT)")
    write(pair, "CREATE TRIGGER throw BEFORE INSERT ON thrown FOR EACH ROW SET NEW.n = dice()")
    write(pair, "INSERT INTO thrown VALUES (0)")
    (thrown,) = asked(pair.source, "SELECT n FROM shop.thrown")
    replica = pair.others[0]
    wait_for(lambda: asked(replica, "SHOW TABLES IN shop LIKE 'thrown'"), 30, "the table")
    wait_for(lambda: asked(replica, "SELECT n FROM shop.thrown") == [thrown], 30, "the same number")


def test_the_binary_log_has_its_share_of_the_disk(pair: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    source, replica = pair.source, pair.others[0]
    replication = source.datastore.replication
    assert replication is not None
    write(pair, "CREATE TABLE logged (n INT)")
    for number in range(3):
        asked(source, "FLUSH BINARY LOGS")
        write(pair, f"INSERT INTO logged VALUES ({number})")
    before = binary_logs(source)
    assert len(before) > 3
    replication.bound()
    assert binary_logs(source) == before
    wait_for(lambda: asked(replica, "SELECT COUNT(*) FROM shop.logged") == [(3,)], 30, "the rows")
    monkeypatch.setattr(binlog, "SHARE", 10**12)

    def bounded() -> bool:
        replication.bound()
        return binary_logs(source) == before[-1:]

    wait_for(bounded, 30, "all but the file that is written to to be gone")
    write(pair, "INSERT INTO logged VALUES (3)")
    wait_for(lambda: asked(replica, "SELECT COUNT(*) FROM shop.logged") == [(4,)], 30, "the replica to follow")
