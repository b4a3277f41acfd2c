# SPDX-License-Identifier: Apache-2.0
"""`openstack database backup …`, and a new instance of a backup."""

import pytest

from tests.functional.stack import mysql, query
from tests.waiting import wait_for
from tests.wire.cli import OpenStack, Refused
from tests.wire.conftest import Shop


@pytest.fixture(scope="module")
def backup(openstack: OpenStack, shop: Shop) -> str:
    """Made by the command; its id."""
    shop.ask("CREATE TABLE depot.kept (n INT)")
    shop.ask("INSERT INTO depot.kept VALUES (42)")
    shown = openstack.table("database backup create full --description monday --instance", shop.name)
    assert (shown["name"], shown["description"], shown["status"]) == ("full", "monday", "NEW")
    assert (shown["instance_id"], shown["parent_id"], shown["datastore"]) == (shop.id, None, "mariadb")
    shop.member.wait_backup(shown["id"])
    made: str = shown["id"]
    return made


@pytest.mark.commands("database backup show", "database backup list", "database backup list instance")
def test_show_and_list(openstack: OpenStack, shop: Shop, backup: str) -> None:
    shown = openstack.table("database backup show", backup)
    assert (shown["status"], shown["datastore_version"]) == ("COMPLETED", "10.11")
    assert shown["locationRef"].endswith("/manifest.json")
    assert openstack.table("database backup show full")["id"] == backup
    (row,) = [one for one in openstack.table("database backup list") if one["ID"] == backup]
    assert (row["Name"], row["Status"], row["Parent ID"]) == ("full", "COMPLETED", None)
    assert backup in [one["ID"] for one in openstack.table("database backup list --instance-id", shop.id)]
    assert backup in [one["ID"] for one in openstack.table("database backup list instance", shop.name)]
    assert openstack.table("database backup list --datastore mariadb --limit 1")


@pytest.mark.commands("database backup create", "database backup delete")
def test_incremental_restore_and_delete(openstack: OpenStack, shop: Shop, backup: str) -> None:
    shop.ask("INSERT INTO depot.kept VALUES (43)")
    child = openstack.table("database backup create child --parent", backup, "--instance", shop.name)
    assert child["parent_id"] == backup
    shop.member.wait_backup(child["id"])
    assert _stored(shop) >= {backup, child["id"]}
    shown = openstack.table(
        "database instance create copy --flavor db.tiny --size 1 --datastore mariadb --datastore-version 10.11",
        *("--backup", child["id"]),
    )
    copy = shop.member.wait_healthy(shown["id"])
    with mysql(copy, shop.user, shop.password, "depot") as connection:
        assert query(connection, "SELECT n FROM kept ORDER BY n") == [(42,), (43,)]
    shop.member.deleted(copy["id"])
    openstack("database backup delete", backup)
    path = f"/backups/{child['id']}"
    wait_for(lambda: shop.member.raw("GET", path).status_code == 404, 60, "the backups to go")
    assert not _stored(shop) & {backup, child["id"]}
    with pytest.raises(Refused):
        openstack("database backup show", backup)


@pytest.mark.commands(
    "database backup strategy create",
    "database backup strategy list",
    "database backup strategy delete",
)
def test_strategies(openstack: OpenStack, shop: Shop) -> None:
    shown = openstack.table("database backup strategy create --instance-id", shop.id, "--swift-container", "depot")
    assert (shown["instance_id"], shown["swift_container"], shown["backend"]) == (shop.id, "depot", "swift")
    (row,) = openstack.table("database backup strategy list --instance-id", shop.id)
    assert row["Swift Container"] == "depot"
    assert "/depot/" in _where(openstack, shop)
    openstack("database backup strategy delete --instance-id", shop.id)
    assert openstack.table("database backup strategy list --instance-id", shop.id) == []
    assert "/database_backups/" in _where(openstack, shop)


def _stored(shop: Shop) -> set[str]:
    """Backups of which there are objects."""
    return {name.rpartition("/")[2] for name in shop.server.inventory()["objects"]}


def _where(openstack: OpenStack, shop: Shop) -> str:
    """A backup is put when nothing else is said."""
    made = openstack.table("database backup create anywhere --instance", shop.name)
    location: str = shop.member.wait_backup(made["id"])["locationRef"]
    shop.member.delete_backup(made["id"])
    return location
