# SPDX-License-Identifier: Apache-2.0
"""What is MariaDB's own: its system tables, its character sets, its patterns."""

import contextlib
from collections.abc import Iterator

import pytest

from dbflow.datastores.mariadb import ADMIN_USER, MariaDB
from guest.datastores.base import DatabaseSpec, DatastoreError, NotFound, UserSpec
from guest.datastores.mariadb import config
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.site import SETTINGS, TIMEOUT, Site

KNOWN = MariaDB()


@pytest.fixture
def root(site: Site) -> Iterator[str]:
    """root's password."""
    password = site.password()
    site.accounts.enable_root(password)
    yield password
    for user in site.accounts.list_users():
        site.accounts.delete_user(user.name, user.host)
    for database in site.accounts.list_databases():
        site.accounts.delete_database(database.name)
    site.accounts.disable_root()


def _ask(site: Site, root: str, statement: str) -> list[tuple[object, ...]]:
    return site.kit.query(site.machine, "root", root, statement)


def test_only_these_accounts(site: Site, root: str) -> None:
    found = _ask(site, root, "SELECT User, Host FROM mysql.global_priv ORDER BY User")
    assert found == [(ADMIN_USER, "localhost"), ("mariadb.sys", "localhost"), ("root", "%")]
    assert _ask(site, root, "SELECT * FROM mysql.db") == []
    assert _ask(site, root, "SELECT * FROM mysql.proxies_priv") == []
    locked = _ask(
        site, root, "SELECT JSON_VALUE(Priv, '$.account_locked') FROM mysql.global_priv WHERE User = 'mariadb.sys'"
    )
    assert locked == [("1",)]


def test_wiring(site: Site, root: str) -> None:
    found = dict(_ask(site, root, "SHOW GLOBAL VARIABLES"))
    expected = {
        "bind_address": site.machine.address,
        "port": str(site.machine.port),
        "skip_name_resolve": "ON",
        "local_infile": "OFF",
        "character_set_server": "utf8mb4",
        "server_id": str(config.server_id(site.machine.instance_id)),
        "tmpdir": str(site.machine.data_dir / "mariadb" / "tmp"),
        "have_symlink": "DISABLED",
        "log_error": str(site.machine.log_dir / "mariadb.log"),
    }
    assert {name: found[name] for name in expected} == expected


def test_every_tuned_parameter_is_what_the_server_has(site: Site, root: str) -> None:
    found = {str(name): str(value) for name, value in _ask(site, root, "SHOW GLOBAL VARIABLES")}
    for name, value in config.tuned(SETTINGS.ram, SETTINGS.vcpus, 1_000_000).items():
        assert found[name] == ("ON" if value is True else str(value)), name


def test_root_can_read_no_file_of_dbflow(site: Site, root: str) -> None:
    for path in ("mariadb/admin", "mariadb/init.sql", "mariadb/server.cnf", "data/ibdata1"):
        assert _ask(site, root, f"SELECT LOAD_FILE('{site.machine.data_dir / path}')") == [(None,)]


def test_character_sets_are_the_servers(site: Site, root: str) -> None:
    rows = _ask(
        site,
        root,
        "SELECT CHARACTER_SET_NAME, FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY",
    )
    found: dict[str, set[str]] = {}
    for charset, collation in rows:
        found.setdefault(str(charset), set()).add(str(collation))
    assert {name: set(collations) for name, collations in KNOWN.charsets.items()} == found


def test_limits_are_the_servers(site: Site, root: str) -> None:
    """What the API lets through the server takes; what it refuses the server refuses, or keeps as something else."""
    database, user, host = "d" * 64, "é" * 128, "h" * 255
    KNOWN.check_database(database)
    KNOWN.check_user(user, host)
    site.accounts.create_databases([DatabaseSpec(database)])
    site.accounts.create_users([UserSpec(user, "pw", host, databases=(database,))])
    assert site.accounts.get_user(user, host).databases == (database,)
    for spec in (
        UserSpec(f"{user}é", "pw"),
        UserSpec("u", "pw", f"{host}h"),
        UserSpec("u", "pw", databases=("d" * 65,)),
    ):
        with pytest.raises(DatastoreError):
            site.accounts.create_users([spec])


def test_longest_grant(site: Site, root: str) -> None:
    fits, too_long = "a_" * 21 + "a", "b_" * 22
    KNOWN.check_grant(fits)
    with pytest.raises(ValueError, match="too long to be granted"):
        KNOWN.check_grant(too_long)
    site.accounts.create_databases([DatabaseSpec(fits), DatabaseSpec(too_long)])
    site.accounts.create_users([UserSpec("u", "pw")])
    site.accounts.grant("u", "%", [fits])
    with pytest.raises(DatastoreError, match="refused"):
        site.accounts.grant("u", "%", [too_long])
    assert site.accounts.get_user("u", "%").databases == (fits,)


def test_grants_that_root_made(site: Site, root: str) -> None:
    """Patterns, single rights, the right to grant, roles: shown, revoked, and no obstacle to deleting a database."""
    site.accounts.create_databases([DatabaseSpec("a_b"), DatabaseSpec("axb")])
    site.accounts.create_users([UserSpec("u", "pw")])
    for statement in (
        "GRANT SELECT ON `a_b`.* TO u WITH GRANT OPTION",
        "CREATE ROLE reader",
        r"GRANT SELECT ON `a\_b`.* TO reader",
        "GRANT reader TO u",
        r"GRANT SELECT ON `a\_b`.* TO PUBLIC",
    ):
        _ask(site, root, statement)
    assert [(user.name, user.databases) for user in site.accounts.list_users()] == [("u", ("a_b",))]
    site.accounts.revoke("u", "%", "a_b")
    assert site.accounts.get_user("u", "%").databases == ()
    with pytest.raises(NotFound):
        site.accounts.get_user("reader", "%")
    site.accounts.delete_database("a_b")
    assert _ask(site, root, "SELECT * FROM mysql.db") == []
    _ask(site, root, "DROP ROLE reader")


def test_hosts_have_no_case(site: Site, root: str) -> None:
    site.accounts.create_users([UserSpec("u", "pw", "LocalHost")])
    assert site.accounts.get_user("u", "LOCALHOST").host == "localhost"
    site.accounts.grant("u", "LOCALHOST", [])
    site.accounts.update_user("u", "LocalHost", new_name=None, new_host="LOCALHOST", password="new")
    site.accounts.delete_user("u", "Localhost")
    assert site.accounts.list_users() == []


@pytest.mark.parametrize(
    "sql_mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ORACLE", "PIPES_AS_CONCAT,NO_AUTO_CREATE_USER"]
)
def test_quoting_holds_in_every_sql_mode(site: Site, root: str, sql_mode: str) -> None:
    _ask(site, root, f"SET GLOBAL sql_mode = '{sql_mode}'")
    try:
        for name in ("a\\'b", 'a"b', "a'b", "a\\"):
            site.accounts.create_databases([DatabaseSpec(name)])
            site.accounts.create_users([UserSpec(name, "pw", databases=(name,))])
            assert site.accounts.get_user(name, "%").databases == (name,)
    finally:
        _ask(site, root, "SET GLOBAL sql_mode = DEFAULT")


def test_administrator_comes_back_with_a_restart(site: Site, root: str) -> None:
    """root may drop it; the next start makes it again."""
    _ask(site, root, f"DROP USER {ADMIN_USER}@localhost")
    with pytest.raises(DatastoreError):
        site.accounts.list_users()
    site.datastore.lifecycle.restart(TIMEOUT)
    assert site.accounts.root_enabled()


def test_busy_server_still_answers_the_agent(kit: MariaDBKit, site: Site, root: str) -> None:
    """All connections of users taken: one more is kept for administrators."""
    site.accounts.create_users([UserSpec("u", "pw")])
    _ask(site, root, "SET GLOBAL max_connections = 10")
    with contextlib.ExitStack() as held:
        for _ in range(10):
            held.enter_context(contextlib.closing(kit.connect(site.machine, "u", "pw")))
        assert site.datastore.lifecycle.health().load["threads_connected"] >= 10
    _ask(site, root, f"SET GLOBAL max_connections = {config.tuned(SETTINGS.ram, 1, 10_000)['max_connections']}")
