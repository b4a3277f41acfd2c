# SPDX-License-Identifier: Apache-2.0
"""`openstack database instance …`, and what it does to the real database server."""

import json
import pathlib
import subprocess
import sys

import psutil
import pytest

from dbflow.cloud.local.processes import Processes
from tests.functional.stack import Client, EmbeddedStack
from tests.functional.stack.inventory import difference
from tests.waiting import wait_for
from tests.wire.cli import OpenStack, Refused, environment
from tests.wire.conftest import Shop

BUFFER_POOL = "SELECT @@innodb_buffer_pool_size"


@pytest.fixture(scope="module")
def spoon(shop: Shop) -> None:
    """A row that must outlive whatever is done to the server."""
    shop.ask("CREATE TABLE shop.ware (name VARCHAR(20))")
    shop.ask("INSERT INTO shop.ware VALUES ('spoon')")


def test_the_program_itself(server: EmbeddedStack, shop: Shop) -> None:
    """As its users start it; the other tests call its main in a process of its own."""
    program = pathlib.Path(sys.executable).with_name("openstack")
    settings = {"OS_CLIENT_CONFIG_FILE": str(server.state / "clouds.yaml"), "OS_CLOUD": "dbflow"}
    ran = subprocess.run(
        [program, "database", "instance", "show", shop.name, "-f", "json"],
        env=environment(settings),
        capture_output=True,
        check=True,
    )
    assert json.loads(ran.stdout)["id"] == shop.id


@pytest.mark.commands("database instance create")
def test_create(shop: Shop) -> None:
    told = {"name", "flavor", "volume", "datastore", "datastore_version", "status", "operating_status", "public"}
    assert {key: shop.shown[key] for key in told} == {
        "name": "shop-1",
        "flavor": "1",
        "volume": 1,
        "datastore": "mariadb",
        "datastore_version": "10.11",
        "status": "BUILD",
        "operating_status": "",
        "public": False,
    }
    ((version,),) = shop.ask("SELECT VERSION()")
    assert version.startswith("10.11.")
    names = {name for (name,) in shop.ask("SHOW DATABASES")}
    assert names == {"information_schema", "shop", "depot"}


@pytest.mark.commands("database instance list")
def test_list(openstack: OpenStack, shop: Shop) -> None:
    (row,) = openstack.table("database instance list")
    address = shop.member.show(shop.id)["ip"][0]
    assert row == {
        "ID": shop.id,
        "Name": shop.name,
        "Datastore": "mariadb",
        "Datastore Version": "10.11",
        "Status": "ACTIVE",
        "Operating Status": "HEALTHY",
        "Public": False,
        "Addresses": [{"address": address, "type": "private", "network": "loopback"}],
        "Flavor ID": "1",
        "Size": 1,
        "Role": "",
    }
    assert openstack.table("database instance list --limit 1 --include-clustered") == [row]
    assert openstack.table("database instance list --marker", shop.id) == []


@pytest.mark.commands("database instance show")
def test_show_by_name_and_id(openstack: OpenStack, shop: Shop) -> None:
    # Measured at each heartbeat, the first of which may come before there is anything.
    wait_for(lambda: shop.member.show(shop.id)["volume"]["used"] > 0, 30, "a filled volume")
    by_name = openstack.table("database instance show", shop.name)
    assert (by_name["id"], by_name["ip"]) == (shop.id, shop.member.show(shop.id)["ip"][0])
    assert by_name["volume_used"] > 0
    assert "server_id" not in by_name
    assert openstack.table("database instance show", shop.id).keys() == by_name.keys()
    with pytest.raises(Refused, match="No instance with a name or ID of 'nobody' exists"):
        openstack("database instance show nobody")


def test_the_administrator_sees_more(openstack: OpenStack, admin_openstack: OpenStack, shop: Shop) -> None:
    shown = admin_openstack.table("database instance show", shop.id)
    assert {"tenant_id", "server_id", "volume_id"} <= shown.keys()
    assert shown["tenant_id"] == shop.member.project
    assert admin_openstack.table("database instance list") == []
    everybody = admin_openstack.table("database instance list --all-projects")
    (listed,) = [one for one in everybody if one["ID"] == shop.id]
    assert (listed["Server ID"], listed["Tenant ID"]) == (shown["server_id"], shop.member.project)
    others = admin_openstack.table("database instance list --project-id nobody")
    assert others == []
    with pytest.raises(Refused, match="admin privileges"):
        openstack("database instance list --all-projects")


@pytest.mark.commands("database instance update")
def test_update(openstack: OpenStack, shop: Shop) -> None:
    openstack("database instance update --name renamed", shop.name)
    assert [row["Name"] for row in openstack.table("database instance list")] == ["renamed"]
    openstack("database instance update", shop.id, "--name", shop.name)
    # No group to drop is a success, one that is not there an error.
    openstack("database instance update --remove-configuration", shop.id)
    with pytest.raises(Refused, match="HTTP 404"):
        openstack("database instance update --configuration 0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11", shop.id)
    openstack("database instance update --is-public --allowed-cidr 10.0.0.0/24", shop.id)
    shop.member.wait_healthy(shop.id)
    shown = openstack.table("database instance show", shop.id)
    assert (shown["public"], shown["allowed_cidrs"]) == (True, ["10.0.0.0/24"])
    openstack("database instance update --is-private", shop.id)
    assert not shop.member.wait_healthy(shop.id)["access"]["is_public"]
    assert openstack.table("database instance show", shop.name)["name"] == shop.name


@pytest.mark.commands("database instance restart")
@pytest.mark.usefixtures("spoon")
def test_restart(openstack: OpenStack, server: EmbeddedStack, shop: Shop) -> None:
    agent, before = server.agent(shop.id), server.database_server(shop.id)
    openstack("database instance restart", shop.name)
    assert shop.member.show(shop.id)["status"] in ("REBOOT", "ACTIVE")
    shop.member.wait_healthy(shop.id)
    after = _processes(server, shop)
    assert agent in after
    assert before is not None
    assert before not in after
    assert shop.ask("SELECT name FROM shop.ware") == [("spoon",)]


@pytest.mark.commands("database instance reboot")
@pytest.mark.usefixtures("spoon")
def test_reboot(openstack: OpenStack, admin_openstack: OpenStack, server: EmbeddedStack, shop: Shop) -> None:
    """Of the machine: nothing of it runs on, neither the agent nor the server."""
    before = _processes(server, shop)
    with pytest.raises(Refused, match="HTTP 401"):
        openstack("database instance reboot", shop.id)
    admin_openstack("database instance reboot", shop.id)
    shop.member.wait_healthy(shop.id)
    assert server.agent(shop.id) is not None
    assert before.isdisjoint(_processes(server, shop))
    assert shop.ask("SELECT name FROM shop.ware") == [("spoon",)]


@pytest.mark.commands("database instance resize flavor")
def test_resize_flavor(openstack: OpenStack, shop: Shop) -> None:
    ((before,),) = shop.ask(BUFFER_POOL)
    openstack("database instance resize flavor", shop.name, "db.small")
    shop.member.wait_healthy(shop.id)
    assert openstack.table("database instance show", shop.name)["flavor"] == "2"
    ((after,),) = shop.ask(BUFFER_POOL)
    assert after > before
    with pytest.raises(Refused, match="flavorRef"):
        openstack("database instance resize flavor", shop.name, 2)


@pytest.mark.commands("database instance resize volume")
@pytest.mark.usefixtures("spoon")
def test_resize_volume(openstack: OpenStack, server: EmbeddedStack, shop: Shop) -> None:
    openstack("database instance resize volume", shop.name, 2)
    shop.member.wait_healthy(shop.id)
    assert openstack.table("database instance show", shop.name)["volume"] == 2
    record = server.cloud / "volumes" / shop.id / "volume.json"
    assert json.loads(record.read_text())["size"] == 2
    assert shop.ask("SELECT name FROM shop.ware") == [("spoon",)]
    with pytest.raises(Refused, match="must be larger than the current volume size of '2'"):
        openstack("database instance resize volume", shop.id, 1)


def test_replicas_and_upgrades_are_refused(openstack: OpenStack, shop: Shop) -> None:
    with pytest.raises(Refused, match=r"not a replica source.*HTTP 400"):
        openstack("database instance eject", shop.name)
    with pytest.raises(Refused, match=r"not a replica.*HTTP 400"):
        openstack("database instance promote", shop.name)
    with pytest.raises(Refused, match=r"not a replica.*HTTP 400"):
        openstack("database instance detach", shop.name)
    with pytest.raises(Refused, match=r"volume.*HTTP 400"):
        openstack("database instance create copy --size 1 --replica-of", shop.name)
    with pytest.raises(Refused, match="HTTP 400"):
        openstack("database instance upgrade", shop.name, "10.11")


@pytest.mark.commands("database instance force delete", "database instance reset status")
def test_force_delete_and_reset_status(
    server: EmbeddedStack, openstack: OpenStack, admin_openstack: OpenStack, member: Client, shop: Shop
) -> None:
    """Of what is being built: the running create is cancelled, and nothing of it is left."""
    before = server.settled_inventory()
    made = []
    for name, command in (("stuck", "reset status"), ("doomed", "force delete")):
        with server.faults.holding("create-server.execute.called") as held:
            made.append(openstack.table(f"database instance create {name} --flavor 1 --size 1")["id"])
            held.reached()
            with pytest.raises(Refused, match=r"reset_status.*HTTP 403"):
                openstack(f"database instance {command}", made[-1])
            admin_openstack(f"database instance {command}", made[-1])
    stuck, doomed = made
    wait_for(lambda: member.show(stuck)["status"] == "ERROR", 120, "the end of the create")
    _wait_gone(member, doomed)
    admin_openstack("database instance force delete", stuck)
    _wait_gone(member, stuck)
    server.wait_inventory(before)


@pytest.mark.commands("database instance delete")
def test_delete(server: EmbeddedStack, openstack: OpenStack, admin_openstack: OpenStack, shop: Shop) -> None:
    before = server.settled_inventory()
    one = openstack.table("database instance create one --flavor 1 --size 1")["id"]
    two = openstack.table("database instance create two --flavor 1 --size 1")["id"]
    said = openstack("database instance delete one")
    assert f"Request to delete database instance {one} has been accepted." in said
    with pytest.raises(Refused, match="Unable to delete"):
        openstack("database instance delete 0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11")
    admin_openstack("database instance delete --force", two)
    for gone in (one, two):
        _wait_gone(shop.member, gone)
    server.wait_inventory(before)
    assert difference(before, server.inventory()) == {}
    assert [row["ID"] for row in openstack.table("database instance list")] == [shop.id]


def _processes(server: EmbeddedStack, shop: Shop) -> set[psutil.Process]:
    """Every one of the instance."""
    return {one.process for one in Processes(str(server.cloud)).of(shop.id)}


def _wait_gone(member: Client, instance_id: str) -> None:
    wait_for(lambda: member.raw("GET", f"/instances/{instance_id}").status_code == 404, 120, f"no {instance_id}")
