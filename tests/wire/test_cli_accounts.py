# SPDX-License-Identifier: Apache-2.0
"""`openstack database db|user|root …`, checked in the database server itself."""

from collections.abc import Iterator

import pymysql
import pytest

from tests.functional.stack import new_password
from tests.wire.cli import OpenStack, Refused
from tests.wire.conftest import Rows, Shop

SCHEMA = "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"


class Root:
    """What the server itself says."""

    def __init__(self, shop: Shop, password: str) -> None:
        self._shop, self._password = shop, password

    def ask(self, statement: str) -> Rows:
        """Run a statement as root."""
        return self._shop.ask(statement, "root", self._password)

    def users(self, name: str) -> list[str]:
        """Hosts of a user."""
        return [host for (host,) in self.ask(f"SELECT host FROM mysql.user WHERE user = '{name}' ORDER BY host")]


@pytest.fixture(scope="module")
def root(openstack: OpenStack, shop: Shop) -> Iterator[Root]:
    """Enabled by `openstack database root enable` with a password of our own."""
    password = new_password()
    assert openstack.table("database root show", shop.name) == {"is_root_enabled": False}
    enabled = openstack.table("database root enable", shop.name, "--root_password", password)
    assert enabled == {"name": "root", "password": password}
    yield Root(shop, password)
    openstack("database root disable", shop.id)


@pytest.mark.commands("database root show", "database root enable", "database root disable")
def test_root(openstack: OpenStack, shop: Shop, root: Root) -> None:
    assert openstack.table("database root show", shop.id) == {"is_root_enabled": True}
    assert root.ask("SELECT CURRENT_USER()") == [("root@%",)]
    openstack("database root disable", shop.name)
    assert openstack.table("database root show", shop.id) == {"is_root_enabled": False}
    with pytest.raises(pymysql.OperationalError, match="denied"):
        root.ask("SELECT 1")
    made = openstack.table("database root enable", shop.id)
    assert shop.ask("SELECT 1", made["name"], made["password"]) == [(1,)]
    openstack("database root enable", shop.name, "--root_password", root._password)


@pytest.mark.commands("database db create", "database db list", "database db delete")
def test_databases(openstack: OpenStack, shop: Shop, root: Root) -> None:
    openstack("database db create", shop.name, "till", "--character_set", "utf8mb3", "--collate", "utf8mb3_bin")
    openstack("database db create", shop.id, "attic")
    assert root.ask(f"{SCHEMA} WHERE schema_name = 'till'") == [("utf8mb3", "utf8mb3_bin")]
    assert root.ask(f"{SCHEMA} WHERE schema_name = 'attic'")
    listed = [row["Name"] for row in openstack.table("database db list", shop.name)]
    assert listed == ["attic", "depot", "shop", "till"]
    with pytest.raises(Refused, match=r'"till" already.exists'):
        openstack("database db create", shop.name, "till")
    for name in ("till", "attic"):
        openstack("database db delete", shop.name, name)
        assert root.ask(f"{SCHEMA} WHERE schema_name = '{name}'") == []
    with pytest.raises(Refused, match="Failed to delete database till: Database till cannot be found"):
        openstack("database db delete", shop.name, "till")


@pytest.mark.commands(
    "database user create",
    "database user list",
    "database user show",
    "database user update attributes",
    "database user delete",
)
def test_users(openstack: OpenStack, shop: Shop, root: Root) -> None:
    first, second = new_password(), new_password()
    openstack("database user create", shop.name, "bob", first, "--host", "127.%", "--databases", "shop")
    assert root.users("bob") == ["127.%"]
    assert shop.ask("SHOW DATABASES LIKE '%o%'", "bob", first) == [("information_schema",), ("shop",)]
    rows = {row["Name"]: row for row in openstack.table("database user list", shop.name)}
    assert rows["bob"] == {"Name": "bob", "Host": "127.%", "Databases": "shop"}
    assert rows["ann"] == {"Name": "ann", "Host": "%", "Databases": "depot, shop"}
    assert "root" not in rows
    shown = openstack.table("database user show", shop.name, "bob", "--host", "127.%")
    assert shown == {"name": "bob", "host": "127.%", "databases": [{"name": "shop"}]}
    with pytest.raises(Refused, match="User bob@% cannot be found"):
        openstack("database user show", shop.name, "bob")

    changed = ("--new_name", "carl", "--new_password", second, "--new_host", "%")
    openstack("database user update attributes", shop.name, "bob", "--host", "127.%", *changed)
    assert (root.users("bob"), root.users("carl")) == ([], ["%"])
    assert shop.ask("SELECT CURRENT_USER()", "carl", second) == [("carl@%",)]
    openstack("database user delete", shop.name, "carl")
    assert root.users("carl") == []
    with pytest.raises(Refused, match="Failed to delete user carl: User carl@% cannot be found"):
        openstack("database user delete", shop.name, "carl")


@pytest.mark.commands("database user grant access", "database user revoke access", "database user show access")
def test_access(openstack: OpenStack, shop: Shop, root: Root) -> None:
    password, host = new_password(), ("--host", "127.%")
    openstack("database user create", shop.name, "dora", password, *host)
    assert openstack.table("database user show access", shop.name, "dora", *host) == []
    openstack("database user grant access", shop.name, "dora", "shop", "depot", *host)
    access = openstack.table("database user show access", shop.id, "dora", *host)
    assert access == [{"Name": "depot"}, {"Name": "shop"}]
    shop.login("dora", password, "depot").close()
    openstack("database user revoke access", shop.name, "dora", "depot", *host)
    with pytest.raises(pymysql.OperationalError, match="denied"):
        shop.login("dora", password, "depot")
    shop.login("dora", password, "shop").close()
    with pytest.raises(Refused, match=r"no access to database depot.*HTTP 404"):
        openstack("database user revoke access", shop.name, "dora", "depot", *host)
    openstack("database user delete", shop.name, "dora", *host)
    assert root.users("dora") == []


def test_what_belongs_to_the_server_is_out_of_reach(openstack: OpenStack, shop: Shop, root: Root) -> None:
    for name in ("root", "mariadb.sys", "dbflow_admin"):
        with pytest.raises(Refused):
            openstack("database user delete", shop.name, name)
    with pytest.raises(Refused, match=r"users name.*HTTP 400"):
        openstack("database user create", shop.name, "root", new_password())
    with pytest.raises(Refused, match=r"databases name.*HTTP 400"):
        openstack("database db create", shop.name, "mysql")
    with pytest.raises(Refused, match="Failed to delete database mysql"):
        openstack("database db delete", shop.name, "mysql")
    assert root.users("root") == ["%"]
