# SPDX-License-Identifier: Apache-2.0
"""The agent dies before any statement of a change, or after the last; the same request run again ends as if nothing
had happened, and another request sees what any request sees."""

import dataclasses
import os
from collections.abc import Callable

import pytest

from guest.datastores.base import Accounts, AlreadyExists, DatabaseSpec, DatastoreError, NotFound, User, UserSpec
from guest.datastores.intents import REQUEST
from tests.contract.site import Site

State = tuple[list[str], list[User]]


@dataclasses.dataclass
class Change:
    """A change, what it leaves, and how a second request for it is refused (None: it is not)."""

    run: Callable[[Accounts], None]
    databases: list[str]
    users: list[User]
    again: type[DatastoreError] | None


U = User("u", "%", ("a", "a_b"))
CHANGES = {
    "create databases": Change(
        lambda accounts: accounts.create_databases([DatabaseSpec("c"), DatabaseSpec("d_e")]),
        ["a", "a_b", "c", "d_e"],
        [U],
        AlreadyExists,
    ),
    "delete database": Change(
        lambda accounts: accounts.delete_database("a_b"), ["a"], [User("u", "%", ("a",))], NotFound
    ),
    "create users": Change(
        lambda accounts: accounts.create_users([UserSpec("v", "pw", databases=("a", "a_b")), UserSpec("w", "pw")]),
        ["a", "a_b"],
        [U, User("v", "%", ("a", "a_b")), User("w", "%", ())],
        AlreadyExists,
    ),
    "rename": Change(
        lambda accounts: accounts.update_user("u", "%", new_name="x", new_host="10.%", password="new"),
        ["a", "a_b"],
        [User("x", "10.%", ("a", "a_b"))],
        NotFound,
    ),
    "delete user": Change(lambda accounts: accounts.delete_user("u", "%"), ["a", "a_b"], [], NotFound),
    "grant": Change(lambda accounts: accounts.grant("u", "%", ["a", "a_b"]), ["a", "a_b"], [U], None),
    "revoke": Change(
        lambda accounts: accounts.revoke("u", "%", "a_b"), ["a", "a_b"], [User("u", "%", ("a",))], NotFound
    ),
    "set passwords": Change(lambda accounts: accounts.set_passwords([UserSpec("u", "new")]), ["a", "a_b"], [U], None),
    "disable root": Change(lambda accounts: accounts.disable_root(), ["a", "a_b"], [U], None),
}


def _reset(accounts: Accounts) -> None:
    for user in accounts.list_users():
        accounts.delete_user(user.name, user.host)
    for database in accounts.list_databases():
        accounts.delete_database(database.name)
    accounts.create_databases([DatabaseSpec("a"), DatabaseSpec("a_b")])
    accounts.create_users([UserSpec("u", "pw", databases=("a", "a_b"))])


def _state(accounts: Accounts) -> State:
    return [database.name for database in accounts.list_databases()], accounts.list_users()


def _run_and_die(site: Site, change: Change, request: str, statement: int) -> bool:
    """Run the change in a process that dies before that statement; False when it had fewer."""
    child = os.fork()
    if child == 0:
        try:
            REQUEST.set(request)
            site.kit.die_at(statement)
            change.run(site.accounts)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != 0


@pytest.mark.parametrize("name", CHANGES)
def test_died_anywhere_and_run_again(site: Site, name: str) -> None:
    change = CHANGES[name]
    statement, died = 0, True
    while died:
        _reset(site.accounts)
        died = _run_and_die(site, change, f"{name} {statement}", statement)
        token = REQUEST.set(f"{name} {statement}")
        try:
            change.run(site.accounts)
        finally:
            REQUEST.reset(token)
        assert _state(site.accounts) == (change.databases, change.users), f"died before statement {statement}"
        statement += 1
    assert statement > 1


@pytest.mark.parametrize("name", [name for name, change in CHANGES.items() if change.again])
def test_second_request_is_not_taken_for_the_first(site: Site, name: str) -> None:
    change = CHANGES[name]
    assert change.again is not None
    _reset(site.accounts)
    for request, expected in (("first", None), ("second", change.again), ("", change.again)):
        token = REQUEST.set(f"{name} {request}" if request else "")
        try:
            if expected is None:
                change.run(site.accounts)
            else:
                with pytest.raises(expected):
                    change.run(site.accounts)
        finally:
            REQUEST.reset(token)
    assert _state(site.accounts) == (change.databases, change.users)
