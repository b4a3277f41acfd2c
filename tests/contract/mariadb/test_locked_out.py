# SPDX-License-Identifier: Apache-2.0
"""Whoever has all rights can take dbflow's own away; they come back at the next look, and nothing else changes."""

from collections.abc import Iterator

import pytest

from dbflow.datastores.mariadb import ADMIN_USER
from dbflow.status import Service
from guest.datastores.base import DatabaseSpec, DatastoreError
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.site import TIMEOUT, Site

WAYS = {
    "dropped": "DROP USER {admin}",
    "renamed": "RENAME USER {admin} TO 'mine'@'%'",
    "password": "ALTER USER {admin} IDENTIFIED BY 'guessed'",
    "locked": "ALTER USER {admin} ACCOUNT LOCK",
    "expired": "ALTER USER {admin} PASSWORD EXPIRE",
    "one right": "REVOKE CREATE USER ON *.* FROM {admin}",
    "grant option": "REVOKE GRANT OPTION ON *.* FROM {admin}",
    "all rights": "REVOKE ALL PRIVILEGES, GRANT OPTION FROM {admin}",
}


@pytest.fixture
def root(site: Site) -> Iterator[str]:
    """root's password."""
    password = site.password()
    site.datastore.lifecycle.start(TIMEOUT)
    site.accounts.enable_root(password)
    yield password
    for database in site.accounts.list_databases():
        site.accounts.delete_database(database.name)
    for user in site.accounts.list_users():
        site.accounts.delete_user(user.name, user.host)
    site.accounts.disable_root()


@pytest.mark.parametrize("statement", WAYS.values(), ids=list(WAYS))
def test_locked_out_and_back(site: Site, root: str, statement: str) -> None:
    lifecycle = site.datastore.lifecycle
    site.accounts.create_databases([DatabaseSpec("kept")])
    assert not lifecycle.health().locked_out
    site.kit.query(site.machine, "root", root, statement.format(admin=f"'{ADMIN_USER}'@'localhost'"))
    told = lifecycle.health()
    assert (told.service_status, told.locked_out) == (Service.RUNNING, True)
    lifecycle.resume()
    told = lifecycle.health()
    assert (told.service_status, told.locked_out) == (Service.HEALTHY, False)
    assert [database.name for database in site.accounts.list_databases()] == ["kept"]
    assert site.accounts.root_enabled()
    assert site.kit.query(site.machine, "root", root, "SELECT 1") == [(1,)]


def test_what_is_asked_meanwhile_is_refused_in_words(site: Site, root: str) -> None:
    site.kit.query(site.machine, "root", root, f"DROP USER '{ADMIN_USER}'@'localhost'")
    with pytest.raises(DatastoreError, match="locked dbflow's administrator out"):
        site.accounts.list_users()
    site.datastore.lifecycle.restart(TIMEOUT)
    assert site.accounts.list_users() == []


def test_a_server_that_obeys_is_left_alone(site: Site, root: str) -> None:
    before = site.process()
    site.datastore.lifecycle.resume()
    assert site.process() == before


def test_users_that_root_made_outlive_root(site: Site, root: str, kit: MariaDBKit) -> None:
    """As documented: to disable root is to remove root, not what root did."""
    kit.query(site.machine, "root", root, "CREATE USER deputy IDENTIFIED BY 'secret-of-deputy'")
    kit.query(site.machine, "root", root, "GRANT ALL ON *.* TO deputy WITH GRANT OPTION")
    site.accounts.disable_root()
    assert kit.query(site.machine, "deputy", "secret-of-deputy", "SELECT 1") == [(1,)]
    assert [user.name for user in site.accounts.list_users()] == ["deputy"]
    site.accounts.enable_root(root)
