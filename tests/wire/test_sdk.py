# SPDX-License-Identifier: Apache-2.0
"""openstacksdk's conn.database, configured by the clouds.yaml that standalone writes."""

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from openstack import connection, exceptions
from openstack.config import OpenStackConfig

from tests.functional.stack import Client, EmbeddedStack, mysql, new_password, query
from tests.waiting import wait_for
from tests.wire.conftest import Shop


@pytest.fixture(scope="module")
def conn(server: EmbeddedStack) -> Iterator[Any]:
    clouds = OpenStackConfig(config_files=[str(server.state / "clouds.yaml")], load_envvars=False)
    with connection.Connection(config=clouds.get_one("dbflow")) as made:
        yield made


@pytest.fixture(scope="module")
def created(conn: Any, shop: Shop) -> Any:
    """Created by the SDK, which sends ``flavor`` where Trove wants ``flavorRef``."""
    return conn.database.create_instance(name="sdk-1", flavor="1", volume={"size": 1}, datastore={"type": "mariadb"})


@pytest.fixture(scope="module")
def instance(conn: Any, created: Any, member: Client) -> Any:
    found = conn.database.wait_for_status(created, "ACTIVE", failures=["ERROR"], interval=0.2, wait=120)
    member.wait_healthy(found.id)
    return found


def test_create_and_find(conn: Any, created: Any, instance: Any, shop: Shop) -> None:
    assert (created.name, created.flavor["id"], created.volume) == ("sdk-1", "1", {"size": 1})
    assert created.status in ("BUILD", "ACTIVE")
    got = conn.database.get_instance(instance.id)
    assert (got.name, got.status, got.datastore["type"]) == ("sdk-1", "ACTIVE", "mariadb")
    assert (got.created_at, bool(got.updated_at), got.region) == (created.created_at, True, "RegionOne")
    for reference in ("sdk-1", instance.id):
        assert conn.database.find_instance(reference).id == instance.id
    assert conn.database.find_instance("nobody") is None
    with pytest.raises(exceptions.NotFoundException, match="Instance nobody cannot be found"):
        conn.database.get_instance("nobody")


def test_list_in_pages(conn: Any, instance: Any, shop: Shop) -> None:
    assert [found.id for found in conn.database.instances(limit=1)] == [instance.id, shop.id]
    assert {found.name for found in conn.database.instances()} == {"sdk-1", shop.name}


def test_rename(conn: Any, instance: Any) -> None:
    conn.database.update_instance(instance.id, name="sdk-2")
    assert conn.database.get_instance(instance.id).name == "sdk-2"
    conn.database.update_instance(instance.id, name="sdk-1")


def test_flavors(conn: Any) -> None:
    flavors = {flavor.name: flavor.ram for flavor in conn.database.flavors()}
    assert flavors["db.small"] == 512
    assert conn.database.get_flavor("2").name == conn.database.find_flavor("db.small").name == "db.small"


def test_databases_and_users(conn: Any, instance: Any, member: Client) -> None:
    password = new_password()
    conn.database.create_database(instance.id, name="second", character_set="utf8mb3", collate="utf8mb3_bin")
    conn.database.create_database(instance.id, name="first")
    assert [found.name for found in conn.database.databases(instance.id, limit=1)] == ["first", "second"]
    conn.database.create_user(instance.id, name="eve", password=password, databases=[{"name": "second"}])
    (user,) = conn.database.users(instance.id)
    assert (user.name, user.databases) == ("eve", [{"name": "second"}])
    shown = member.show(instance.id)
    with mysql(shown, "eve", password, "second") as opened:
        assert query(opened, "SELECT @@character_set_database, @@collation_database") == [("utf8mb3", "utf8mb3_bin")]
    with pytest.raises(exceptions.BadRequestException, match="already exists"):
        conn.database.create_user(instance.id, name="eve", password=password)
    conn.database.delete_user("eve", instance=instance.id)
    with pytest.raises(pymysql.OperationalError, match="denied"):
        mysql(shown, "eve", password)
    conn.database.delete_database("second", instance=instance.id)
    assert [found.name for found in conn.database.databases(instance.id)] == ["first"]
    conn.database.delete_user("eve", instance=instance.id, ignore_missing=True)
    with pytest.raises(exceptions.NotFoundException, match="User eve@% cannot be found"):
        conn.database.delete_user("eve", instance=instance.id, ignore_missing=False)


def test_root(conn: Any, instance: Any, member: Client) -> None:
    assert instance.is_root_enabled(conn.database) is False
    never = conn.database.delete(f"/instances/{instance.id}/root")
    assert never.status_code == 404
    assert never.json()["itemNotFound"]["message"] == "Root user has never been enabled on the instance."
    user = instance.enable_root_user(conn.database)
    assert instance.is_root_enabled(conn.database) is True
    with mysql(member.show(instance.id), user["name"], user["password"]) as opened:
        assert query(opened, "SELECT 1") == [(1,)]


def test_restart_and_resize(conn: Any, instance: Any, server: EmbeddedStack, member: Client) -> None:
    before = server.database_server(instance.id)
    assert before is not None
    instance.restart(conn.database)
    member.wait_healthy(instance.id)
    after = server.database_server(instance.id)
    assert after is not None
    assert after.pid != before.pid
    instance.resize(conn.database, "2")
    member.wait_healthy(instance.id)
    instance.resize_volume(conn.database, 3)
    member.wait_healthy(instance.id)
    shown = conn.database.get_instance(instance.id)
    assert (shown.flavor["id"], shown.volume["size"]) == ("2", 3)


def test_delete(conn: Any, instance: Any, server: EmbeddedStack, shop: Shop) -> None:
    conn.database.delete_instance(instance.id)
    conn.database.wait_for_delete(instance, interval=0.2, wait=120)
    wait_for(lambda: server.inventory()["servers"] == [shop.id], 30, "no server of it")
    conn.database.delete_instance(instance.id, ignore_missing=True)
    with pytest.raises(exceptions.NotFoundException):
        conn.database.delete_instance(instance.id, ignore_missing=False)
