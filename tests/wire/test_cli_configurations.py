# SPDX-License-Identifier: Apache-2.0
"""`openstack database configuration …`, checked in the database server itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import session as keystone
from keystoneauth1.token_endpoint import Token
from troveclient import exceptions
from troveclient.v1.client import Client as TroveClient
from troveclient.v1.management import MgmtConfigurationParameters

from tests.functional.stack import Client
from tests.wire.cli import OpenStack, Refused
from tests.wire.conftest import Shop

VALUES = {"max_connections": 87, "back_log": 88, "sql_mode": "ANSI_QUOTES"}


@pytest.fixture(scope="module")
def group(openstack: OpenStack, member: Client) -> Iterator[dict[str, Any]]:
    made = openstack.table(
        "database configuration create",
        "tuned",
        json.dumps(VALUES),
        *("--datastore", "mariadb", "--datastore-version", "10.11", "--description", "for the shop"),
    )
    yield made
    for one in member.ask("GET", "/configurations")["configurations"]:
        member.ask("DELETE", f"/configurations/{one['id']}", status=202)


def now(shop: Shop, parameter: str) -> Any:
    """What the server runs with."""
    ((value,),) = shop.ask(f"SELECT @@GLOBAL.{parameter}")
    return value


@pytest.mark.commands("database configuration create", "database configuration show", "database configuration list")
def test_create_show_list(openstack: OpenStack, group: dict[str, Any]) -> None:
    assert (group["name"], group["description"], group["instance_count"]) == ("tuned", "for the shop", 0)
    assert (group["datastore_name"], group["datastore_version_name"]) == ("mariadb", "10.11")
    shown = openstack.table("database configuration show tuned")
    assert shown["id"] == group["id"]
    assert json.loads(shown["values"]) == VALUES
    (row,) = openstack.table("database configuration list")
    assert (row["ID"], row["Name"], row["Datastore Name"]) == (group["id"], "tuned", "mariadb")
    with pytest.raises(Refused, match="HTTP 422"):
        openstack("database configuration create", "bad", '{"port": 1}', *("--datastore", "mariadb"))
    with pytest.raises(Refused, match=r"No .* with a name or ID of 'nothing'"):
        openstack("database configuration show nothing")


@pytest.mark.commands("database configuration parameter list", "database configuration parameter show")
def test_parameters(openstack: OpenStack) -> None:
    listed = openstack.table("database configuration parameter list 10.11 --datastore mariadb")
    assert len(listed) >= 100
    (row,) = (one for one in listed if one["Name"] == "max_connections")
    assert (row["Type"], row["Min Size"], row["Max Size"], row["Restart Required"]) == ("integer", 10, 100000, False)
    shown = openstack.table("database configuration parameter show 10.11 back_log --datastore mariadb")
    assert (shown["name"], shown["type"], shown["restart_required"]) == ("back_log", "integer", True)


@pytest.mark.commands("database configuration default")
def test_default(openstack: OpenStack, shop: Shop) -> None:
    shown = openstack.table("database configuration default", shop.id)
    assert int(shown["max_connections"]) == now(shop, "max_connections")
    assert int(shown["innodb_buffer_pool_size"]) == now(shop, "innodb_buffer_pool_size")


@pytest.mark.commands(
    "database configuration attach",
    "database configuration instances",
    "database configuration parameter set",
    "database configuration set",
    "database configuration detach",
)
def test_attach_change_detach(openstack: OpenStack, shop: Shop, group: dict[str, Any]) -> None:
    before = now(shop, "max_connections")
    openstack("database configuration attach", shop.name, "tuned")
    assert (now(shop, "max_connections"), now(shop, "sql_mode")) == (87, "ANSI_QUOTES")
    assert now(shop, "back_log") != 88
    shown = openstack.table("database instance show", shop.id)
    assert (shown["status"], shown["configuration"]) == ("RESTART_REQUIRED", group["id"])
    (row,) = openstack.table("database configuration instances tuned")
    assert (row["ID"], row["Name"]) == (shop.id, shop.name)
    with pytest.raises(Refused, match="HTTP 400"):
        openstack("database configuration attach", shop.id, group["id"])
    with pytest.raises(Refused, match="HTTP 400"):
        openstack("database configuration delete", group["id"])

    openstack("database configuration parameter set", group["id"], '{"max_connections": 89}')
    assert now(shop, "max_connections") == 89
    with pytest.raises(Refused, match=r"(?s)latin9000.*HTTP 422"):
        openstack("database configuration parameter set", group["id"], '{"character_set_server": "latin9000"}')
    openstack("database configuration set", group["id"], '{"max_connections": 90}', "--name", "other")
    assert (now(shop, "max_connections"), now(shop, "sql_mode") != "ANSI_QUOTES") == (90, True)
    shown = openstack.table("database configuration show other")
    assert json.loads(shown["values"]) == {"max_connections": 90}

    openstack("database instance restart", shop.id)
    shop.member.wait_healthy(shop.id)
    assert now(shop, "max_connections") == 90
    openstack("database configuration detach", shop.name)
    assert (now(shop, "max_connections"), "configuration" in shop.member.show(shop.id)) == (before, False)
    assert shop.member.show(shop.id)["status"] == "ACTIVE"
    openstack("database instance update", shop.id, "--configuration", group["id"])
    assert now(shop, "max_connections") == 90
    openstack("database instance update --remove-configuration", shop.id)
    assert now(shop, "max_connections") == before


@pytest.mark.commands("database configuration delete")
def test_delete(openstack: OpenStack, group: dict[str, Any]) -> None:
    openstack("database configuration delete", group["id"])
    assert openstack.table("database configuration list") == []


def test_an_administrator_changes_the_parameters(admin: Client, trove: Any) -> None:
    """As `trove` of old does; `openstack` has no commands for it."""
    (datastore,) = trove.datastores.list()
    (version,) = trove.datastore_versions.list(datastore.id)
    auth = Token(admin.endpoint, admin.headers["X-Auth-Token"])
    manager = MgmtConfigurationParameters(TroveClient(session=keystone.Session(auth=auth)))
    manager.create(version.id, "my_parameter", 0, "integer", 9, 3)
    found = trove.configuration_parameters.get_parameter(datastore.id, version.id, "my_parameter")
    assert (found.type, found.max, found.min, found.restart_required) == ("integer", 9, 3, False)
    manager.modify(version.id, "my_parameter", 1, "integer", 10, 3)
    assert manager.get_any_parameter_by_version(version.id, "my_parameter").max_size == 10
    assert "my_parameter" in [one.name for one in manager.list_all_parameter_by_version(version.id)]
    manager.delete(version.id, "my_parameter")
    assert manager.get_any_parameter_by_version(version.id, "my_parameter").deleted
    with pytest.raises(exceptions.NotFound):
        trove.configuration_parameters.get_parameter(datastore.id, version.id, "my_parameter")
