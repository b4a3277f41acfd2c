# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and the administrator, checked through a client's eyes."""

from collections.abc import Iterator

import pytest

from guest.datastores.base import AlreadyExists, DatabaseSpec, DatastoreError, NotFound, UserSpec
from tests.contract.kits import LoginRefused, Refused
from tests.contract.site import Site


@pytest.fixture(autouse=True)
def _empty(site: Site) -> Iterator[None]:
    yield
    for user in site.accounts.list_users():
        site.accounts.delete_user(user.name, user.host)
    for database in site.accounts.list_databases():
        site.accounts.delete_database(database.name)
    site.accounts.disable_root()


def _databases(site: Site) -> list[str]:
    return [database.name for database in site.accounts.list_databases()]


def _users(site: Site) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(user.name, user.host, user.databases) for user in site.accounts.list_users()]


def _may_login(site: Site, name: str, password: str) -> bool:
    try:
        site.kit.query(site.machine, name, password, "SELECT 1")
    except LoginRefused:
        return False
    return True


def test_fresh_server_shows_nothing_of_its_own(site: Site) -> None:
    assert _databases(site) == []
    assert _users(site) == []
    assert not site.accounts.root_enabled()


def test_odd_names(site: Site) -> None:
    """Each name as a database and as a user who may use just that database."""
    names = site.kit.odd_names
    passwords = {name: site.password() for name in names}
    site.accounts.create_databases([DatabaseSpec(name) for name in names])
    site.accounts.create_users([UserSpec(name, passwords[name], databases=(name,)) for name in names])
    assert _databases(site) == sorted(names)
    assert _users(site) == [(name, "%", (name,)) for name in sorted(names)]
    for name in names:
        assert site.accounts.get_user(name, "%").databases == (name,)
        assert site.kit.write_row(site.machine, name, passwords[name], name, "hello") == ["hello"]
    for name in names:
        site.accounts.revoke(name, "%", name)
        site.accounts.delete_user(name, "%")
        site.accounts.delete_database(name)
    assert (_databases(site), _users(site)) == ([], [])


def test_odd_hosts(site: Site) -> None:
    hosts = site.kit.odd_hosts
    site.accounts.create_users([UserSpec("guest", site.password(), host) for host in hosts])
    assert {host for _, host, _ in _users(site)} == set(hosts)
    for host in hosts:
        site.accounts.delete_user("guest", host)
    assert _users(site) == []


def test_odd_passwords(site: Site) -> None:
    site.accounts.create_users([UserSpec("u", site.password())])
    for password in ("'", '"', "\\", "%s", " lead and trail ", "日本語", "😀", "x" * 200, "a;DROP USER u", "`"):
        site.accounts.set_passwords([UserSpec("u", password)])
        assert _may_login(site, "u", password), password
        assert not _may_login(site, "u", f"{password}x")
    with pytest.raises(DatastoreError, match="empty"):
        site.accounts.set_passwords([UserSpec("u", "")])


def test_character_sets(site: Site) -> None:
    site.accounts.create_databases(site.kit.specs)
    assert site.accounts.list_databases() == sorted(site.kit.specs, key=lambda spec: spec.name)


def test_databases_all_or_none(site: Site) -> None:
    site.accounts.create_databases([DatabaseSpec("second")])
    with pytest.raises(AlreadyExists, match='"second" already exists'):
        site.accounts.create_databases([DatabaseSpec("first"), DatabaseSpec("second")])
    assert _databases(site) == ["second"]
    with pytest.raises(DatastoreError):
        site.accounts.create_databases([DatabaseSpec("first"), DatabaseSpec("bad", "no_such_charset")])
    with pytest.raises(DatastoreError, match=r"long|Incorrect"):
        site.accounts.create_databases([DatabaseSpec("first"), DatabaseSpec("x" * 300)])
    with pytest.raises(DatastoreError):
        site.accounts.create_databases([DatabaseSpec("first", "utf8 COLLATE x; DROP DATABASE second")])
    assert _databases(site) == ["second"]


def test_users_all_or_none(site: Site) -> None:
    site.accounts.create_users([UserSpec("second", site.password())])
    with pytest.raises(AlreadyExists, match='"second" already exists'):
        site.accounts.create_users([UserSpec("first", site.password()), UserSpec("second", site.password())])
    with pytest.raises(DatastoreError):
        site.accounts.create_users([UserSpec("first", site.password()), UserSpec("x" * 300, site.password())])
    with pytest.raises(DatastoreError):
        site.accounts.create_users([UserSpec("first", site.password(), databases=("fine", "x" * 300))])
    assert _users(site) == [("second", "%", ())]


def test_names_that_would_become_others_are_refused(site: Site) -> None:
    for name in ("face😀", "space "):
        with pytest.raises(DatastoreError):
            site.accounts.create_users([UserSpec(name, site.password())])
        with pytest.raises(DatastoreError):
            site.accounts.create_databases([DatabaseSpec(name)])
    assert (_databases(site), _users(site)) == ([], [])


def test_create_missing_may_run_any_number_of_times(site: Site) -> None:
    old, new = site.password(), site.password()
    site.accounts.create_databases([DatabaseSpec("a")])
    site.accounts.create_users([UserSpec("u", old)])
    for _ in range(2):
        site.accounts.create_databases([DatabaseSpec("a"), DatabaseSpec("b")], if_missing=True)
        site.accounts.create_users([UserSpec("u", new, databases=("b",)), UserSpec("v", new)], if_missing=True)
    assert _databases(site) == ["a", "b"]
    assert _users(site) == [("u", "%", ("b",)), ("v", "%", ())]
    assert _may_login(site, "u", new)
    assert not _may_login(site, "u", old)


def test_grant_reaches_one_database_only(site: Site) -> None:
    """In a grant ``_`` and ``%`` would match other databases too."""
    password = site.password()
    site.accounts.create_databases([DatabaseSpec(name) for name in ("a_b", "axb", "c%", "cat")])
    site.accounts.create_users([UserSpec("u", password)])
    site.accounts.grant("u", "%", ["a_b", "c%"])
    site.accounts.grant("u", "%", ["a_b"])
    assert site.accounts.get_user("u", "%").databases == ("a_b", "c%")
    for name in ("a_b", "c%"):
        assert site.kit.write_row(site.machine, "u", password, name, "mine") == ["mine"]
    for name in ("axb", "cat"):
        with pytest.raises(Refused):
            site.kit.write_row(site.machine, "u", password, name, "not mine")


def test_grant_to_what_is_not_there(site: Site) -> None:
    site.accounts.create_databases([DatabaseSpec("a")])
    site.accounts.create_users([UserSpec("u", site.password())])
    with pytest.raises(NotFound, match="Database b cannot"):
        site.accounts.grant("u", "%", ["a", "b"])
    with pytest.raises(NotFound, match="User nobody@% cannot"):
        site.accounts.grant("nobody", "%", ["a"])
    assert _users(site) == [("u", "%", ())]


def test_revoke(site: Site) -> None:
    password = site.password()
    site.accounts.create_databases([DatabaseSpec("a"), DatabaseSpec("b")])
    site.accounts.create_users([UserSpec("u", password, databases=("a", "b"))])
    site.accounts.revoke("u", "%", "a")
    assert site.accounts.get_user("u", "%").databases == ("b",)
    with pytest.raises(Refused):
        site.kit.write_row(site.machine, "u", password, "a", "no more")
    with pytest.raises(NotFound):
        site.accounts.revoke("u", "%", "a")
    with pytest.raises(NotFound):
        site.accounts.revoke("nobody", "%", "a")


def test_deleted_database_leaves_no_grants(site: Site) -> None:
    site.accounts.create_databases([DatabaseSpec("a_b")])
    site.accounts.create_users([UserSpec("u", site.password(), databases=("a_b",))])
    site.accounts.delete_database("a_b")
    assert _users(site) == [("u", "%", ())]
    with pytest.raises(NotFound):
        site.accounts.delete_database("a_b")


def test_rename_keeps_grants(site: Site) -> None:
    old, new = site.password(), site.password()
    site.accounts.create_databases([DatabaseSpec("a")])
    site.accounts.create_users([UserSpec("u", old, databases=("a",)), UserSpec("taken", site.password())])
    site.accounts.update_user("u", "%", new_name="o'v", new_host="127.%", password=new)
    assert site.accounts.get_user("o'v", "127.%").databases == ("a",)
    assert _may_login(site, "o'v", new)
    with pytest.raises(NotFound):
        site.accounts.get_user("u", "%")
    with pytest.raises(NotFound):
        site.accounts.update_user("u", "%", new_name="w", new_host=None, password=None)
    with pytest.raises(AlreadyExists, match='"taken"'):
        site.accounts.update_user("o'v", "127.%", new_name="taken", new_host="%", password=None)
    site.accounts.update_user("o'v", "127.%", new_name=None, new_host=None, password=old)
    assert _may_login(site, "o'v", old)


def test_set_passwords_of_all_or_none(site: Site) -> None:
    old, new = site.password(), site.password()
    site.accounts.create_users([UserSpec("u", old), UserSpec("v", old)])
    with pytest.raises(NotFound, match="User w@% cannot"):
        site.accounts.set_passwords([UserSpec("u", new), UserSpec("w", new)])
    assert _may_login(site, "u", old)
    site.accounts.set_passwords([UserSpec("u", new), UserSpec("v", new)])
    assert _may_login(site, "u", new)
    assert _may_login(site, "v", new)


def test_unknown_user(site: Site) -> None:
    with pytest.raises(NotFound, match="User nobody@% cannot be found on the instance"):
        site.accounts.get_user("nobody", "%")
    with pytest.raises(NotFound):
        site.accounts.delete_user("nobody", "%")


def test_administrator_comes_and_goes(site: Site) -> None:
    first, second = site.password(), site.password()
    assert not _may_login(site, "root", "")
    name = site.accounts.enable_root(first)
    assert site.accounts.root_enabled()
    assert _may_login(site, name, first)
    site.accounts.enable_root(second)
    assert _may_login(site, name, second)
    assert not _may_login(site, name, first)
    assert _users(site) == []
    site.kit.query(site.machine, name, second, "CREATE DATABASE made_by_root")
    assert _databases(site) == ["made_by_root"]
    site.accounts.disable_root()
    assert not site.accounts.root_enabled()
    assert not _may_login(site, name, second)
    site.accounts.disable_root()


def test_nobody_gets_in_from_outside_without_an_account(site: Site) -> None:
    for name in ("root", "", "dbflow_admin", "mysql", "nobody"):
        assert not _may_login(site, name, "")
        assert not _may_login(site, name, "root")
