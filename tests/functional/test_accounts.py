# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and root through the API, tried out on the real server as those users."""

import urllib.parse
from typing import Any

import pymysql
import pytest

from tests.functional.stack import Client, Stack, mysql, new_password, query
from tests.waiting import wait_for

Instance = dict[str, Any]
ODD_DATABASES = ["dash-ed", "with space", "ünïcode", "quo`te", "per%cent_", "semi;colon"]
ODD_USERS = ["a-b", "o'neil", 'dou"ble', "ba`ck", "ü", "per%", "a b"]

REFUSED = r"denied|not allowed"
"""The server's two ways to say no: to somebody it knows, and where it knows nobody at all."""


@pytest.fixture(scope="module")
def made() -> dict[str, Instance]:
    """Kind of stack -> its instance for this module."""
    return {}


@pytest.fixture
def instance(stack: Stack, made: dict[str, Instance]) -> Instance:
    if stack.kind not in made or stack.client().raw("GET", f"/instances/{made[stack.kind]['id']}").status_code == 404:
        made[stack.kind] = stack.client().created("accounts")
    return made[stack.kind]


def _user(name: str, host: str | None = None) -> str:
    """In a path, as clients write it."""
    text = name if host is None else f"{name}@{host}"
    return urllib.parse.quote(text, safe="").replace(".", "%2e")


def _users(client: Client, instance: Instance) -> dict[str, list[str]]:
    found = client.ask("GET", f"/instances/{instance['id']}/users")["users"]
    return {f"{user['name']}@{user['host']}": sorted(one["name"] for one in user["databases"]) for user in found}


def _databases(client: Client, instance: Instance) -> list[str]:
    return [one["name"] for one in client.ask("GET", f"/instances/{instance['id']}/databases")["databases"]]


def test_odd_databases(stack: Stack, instance: Instance) -> None:
    client = stack.client()
    path = f"/instances/{instance['id']}/databases"
    for name in ODD_DATABASES:
        client.ask("POST", path, {"databases": [{"name": name}]}, status=202)
    assert sorted(ODD_DATABASES) == _databases(client, instance)
    client.ask("POST", path, {"databases": [{"name": ODD_DATABASES[0]}]}, status=400)
    for name in ODD_DATABASES:
        client.ask("DELETE", f"{path}/{urllib.parse.quote(name, safe='')}", status=202)
    assert _databases(client, instance) == []


def test_odd_users_log_in(stack: Stack, instance: Instance) -> None:
    client = stack.client()
    path = f"/instances/{instance['id']}"
    client.ask("POST", f"{path}/databases", {"databases": [{"name": "per_cent"}, {"name": "perxcent"}]}, status=202)
    passwords = {name: new_password("'\"`\\;ü%") for name in ODD_USERS}
    users = [{"name": name, "password": passwords[name], "databases": [{"name": "per_cent"}]} for name in ODD_USERS]
    client.ask("POST", f"{path}/users", {"users": users}, status=202)
    assert {f"{name}@%": ["per_cent"] for name in ODD_USERS} == _users(client, instance)
    for name in ODD_USERS:
        with mysql(instance, name, passwords[name], "per_cent") as connection:
            query(connection, "CREATE TABLE IF NOT EXISTS t (n INT)")
            # _ is a wildcard in grants: a user of per_cent has no business in perxcent.
            with pytest.raises(pymysql.OperationalError, match=REFUSED):
                query(connection, "CREATE TABLE perxcent.t (n INT)")
        client.ask("DELETE", f"{path}/users/{_user(name, '%')}", status=202)
        with pytest.raises(pymysql.OperationalError, match=REFUSED):
            mysql(instance, name, passwords[name])
    assert _users(client, instance) == {}
    for name in ("per_cent", "perxcent"):
        client.ask("DELETE", f"{path}/databases/{name}", status=202)


def test_grant_revoke_change_rename(stack: Stack, instance: Instance) -> None:
    client = stack.client()
    path = f"/instances/{instance['id']}"
    old, new = new_password(), new_password()
    client.ask("POST", f"{path}/databases", {"databases": [{"name": "one"}, {"name": "two"}]}, status=202)
    client.ask("POST", f"{path}/users", {"users": [{"name": "eve", "password": old, "host": "127.%"}]}, status=202)
    eve = f"{path}/users/{_user('eve', '127.%')}"

    client.ask("PUT", f"{eve}/databases", {"databases": [{"name": "one"}, {"name": "two"}]}, status=202)
    client.ask("DELETE", f"{eve}/databases/two", status=202)
    assert client.ask("GET", f"{eve}/databases") == {"databases": [{"name": "one"}]}
    mysql(instance, "eve", old, "one").close()
    with pytest.raises(pymysql.OperationalError, match=REFUSED):
        mysql(instance, "eve", old, "two")

    changed = {"users": [{"name": "eve", "host": "127.%", "password": new}]}
    client.ask("PUT", f"{path}/users", changed, status=202)
    mysql(instance, "eve", new, "one").close()
    with pytest.raises(pymysql.OperationalError, match=REFUSED):
        mysql(instance, "eve", old, "one")

    client.ask("PUT", eve, {"user": {"name": "adam"}}, status=202)
    assert _users(client, instance) == {"adam@127.%": ["one"]}
    mysql(instance, "adam", new, "one").close()
    client.ask("DELETE", f"{path}/users/{_user('adam', '127.%')}", status=202)
    client.ask("GET", f"{path}/users/{_user('adam', '127.%')}", status=404)
    for name in ("one", "two"):
        client.ask("DELETE", f"{path}/databases/{name}", status=202)


def test_root(stack: Stack, instance: Instance) -> None:
    client = stack.client()
    root = f"/instances/{instance['id']}/root"
    assert client.ask("GET", root) == {"rootEnabled": False}
    with pytest.raises(pymysql.OperationalError, match=REFUSED):
        mysql(instance, "root", "")
    shown = client.ask("POST", root, status=200)["user"]
    with mysql(instance, shown["name"], shown["password"]) as connection:
        assert query(connection, "SELECT 1") == [(1,)]
        # Only dbflow's own administrator is beyond root's sight in the API.
        assert _users(client, instance) == {}
    client.ask("DELETE", root, status=204)
    with pytest.raises(pymysql.OperationalError, match=REFUSED):
        mysql(instance, shown["name"], shown["password"])


def test_the_module_leaves_nothing(stack: Stack, instance: Instance, made: dict[str, Instance]) -> None:
    client = stack.client()
    client.deleted(made.pop(stack.kind)["id"])
    wait_for(lambda: stack.inventory()["processes"] == [], 30, "no processes")
