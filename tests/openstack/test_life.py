# SPDX-License-Identifier: Apache-2.0
"""The life of databases in a real OpenStack, by the unmodified ``openstack`` of a plain member of a project."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.stack import new_password, query
from tests.functional.stack.client import operation_of
from tests.functional.stack.fixtures import after_failure
from tests.openstack.place import Place
from tests.openstack.stack import USER, CloudStack
from tests.waiting import wait_for
from tests.wire.cli import OpenStack, Refused

PATIENCE = 240.0
ROWS = 1000
CONTAINER = "database_backups"
OTHER, READER = "tenant2", "reader"


@pytest.fixture(scope="module")
def running(place: Place, guest_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStack]:
    with CloudStack(tmp_path_factory.mktemp("images"), place, guest_image) as stack:
        stack.register()
        _tag(stack)
        yield stack


def _tag(stack: CloudStack) -> None:
    """Servers boot what has these tags, whatever its id."""
    admin = stack.command("admin")
    (version,) = admin.table("datastore version list mariadb")
    admin("datastore version set", version["ID"], "--image-tags", "dbflow,mariadb")
    assert stack.admin().ask("GET", f"/mgmt/datastore-versions/{version['ID']}")["version"]["image"] is None


@pytest.fixture
def stack(running: CloudStack, request: pytest.FixtureRequest) -> Iterator[CloudStack]:
    yield running
    after_failure(request, running)


class Shop:
    """A user of the command, and what it has made."""

    def __init__(self, stack: CloudStack) -> None:
        self.stack, self.password = stack, new_password()
        self.run: OpenStack = stack.command(USER)
        self.api = stack.client()

    def create(self, name: str, *words: object) -> str:
        """An instance that serves: its id."""
        made = self.run.table(f"database instance create {name}", *words)
        return self.active(made["id"])

    def active(self, instance_id: str) -> str:
        """When it is."""
        self.api.wait_status(instance_id, "ACTIVE", PATIENCE)
        self.api.wait_healthy(instance_id, PATIENCE)
        return instance_id

    def connect(self, instance_id: str) -> Any:
        return self.stack.mysql(self.api.show(instance_id), "app", self.password, "shop")

    def rows(self, instance_id: str) -> int:
        with self.connect(instance_id) as connection:
            found: int = query(connection, "SELECT COUNT(*) FROM t")[0][0]
        return found

    def is_written_to(self, instance_id: str) -> bool:
        with self.connect(instance_id) as connection:
            return query(connection, "SELECT @@read_only") == [(0,)]


def test_a_life(stack: CloudStack) -> None:
    """Nothing is left of it but the container of its backup, empty."""
    shop = Shop(stack)
    before = stack.settled_inventory()
    first = _created(shop)
    _resized(shop, first)
    _access(shop, first)
    _rebuilt(shop, first)
    restored = _backed_up_and_restored(shop, first)
    shop.run("database instance delete", restored)
    replica = _replicated_and_promoted(shop, first)
    _strangers(stack, replica)
    for instance in (first, replica):
        shop.run("database instance delete", instance)
    for instance in (restored, first, replica):
        wait_for(lambda i=instance: shop.api.raw("GET", f"/instances/{i}").status_code == 404, PATIENCE, "its end")
    assert CONTAINER not in before["containers"]
    stack.wait_inventory(before | {"containers": sorted([*before["containers"], CONTAINER])})


def _created(shop: Shop) -> str:
    words = ["--flavor", "2", "--size", "1", "--datastore", "mariadb", "--databases", "shop"]
    made = shop.create("shop", *words, "--users", f"app:{shop.password}")
    with shop.connect(made) as connection:
        query(connection, "CREATE TABLE t (n INT PRIMARY KEY)")
        query(connection, f"INSERT INTO t SELECT seq FROM seq_1_to_{ROWS}")
    return made


def _resized(shop: Shop, instance: str) -> None:
    shop.run("database instance resize flavor", instance, "3")
    wait_for(lambda: shop.api.show(instance)["flavor"]["id"] == "3", PATIENCE, "the flavor")
    shop.active(instance)
    shop.run("database instance resize volume", instance, "2")
    wait_for(lambda: shop.api.show(instance)["volume"]["size"] == 2, PATIENCE, "the volume")
    shop.active(instance)
    assert shop.rows(instance) == ROWS


def _access(shop: Shop, instance: str) -> None:
    """Whoever is not let in finds nothing."""
    ways = {"192.0.2.0/24": False, "10.30.0.0/24": True}
    for cidr, reached in ways.items():
        shop.run("database instance update --allowed-cidr", cidr, instance)
        shown = shop.api.show(instance)
        wait_for(lambda s=shown, r=reached: shop.stack.reaches(s, "app", shop.password, "shop") is r, PATIENCE, cidr)
        shop.active(instance)


def _rebuilt(shop: Shop, instance: str) -> None:
    """Nova makes the machine anew, and what is on the volume stays; the new machine makes no file system."""
    admin, nova = shop.stack.admin(), shop.stack.place.admin.compute
    server = nova.find_server(f"dbflow-{instance}", ignore_missing=False)
    answer = admin.raw("POST", f"/mgmt/instances/{instance}/action", {"rebuild": {"image_id": shop.stack.image}})
    assert answer.status_code == 202, answer.text
    admin.wait_operation(operation_of(answer), timeout=PATIENCE)
    assert [one.action for one in nova.server_actions(server.id)].count("rebuild") == 1
    shop.active(instance)
    assert shop.rows(instance) == ROWS


def _backed_up_and_restored(shop: Shop, instance: str) -> str:
    made = shop.run.table("database backup create monday --instance", instance)["id"]
    shop.api.wait_backup(made)
    stored = shop.stack.inventory_of_cloud()["in containers"]
    assert any(made in name for name in stored)
    words = ["--flavor", "2", "--size", "2", "--datastore", "mariadb", "--backup", made]
    restored = shop.create("again", *words)
    assert shop.rows(restored) == ROWS
    shop.run("database backup delete", made)
    wait_for(lambda: shop.api.raw("GET", f"/backups/{made}").status_code == 404, PATIENCE, "the end of the backup")
    return restored


def _replicated_and_promoted(shop: Shop, instance: str) -> str:
    made = shop.run.table("database instance create second --replica-of", instance)
    replica = shop.active(made["id"])
    assert shop.rows(replica) == ROWS
    assert (shop.is_written_to(instance), shop.is_written_to(replica)) == (True, False)
    shop.run("database instance promote", replica)
    wait_for(lambda: shop.api.show(instance).get("replica_of", {}).get("id") == replica, PATIENCE, "the promotion")
    assert (shop.is_written_to(instance), shop.is_written_to(replica)) == (False, True)
    with shop.connect(replica) as connection:
        query(connection, "INSERT INTO t VALUES (0)")
    wait_for(lambda: shop.rows(instance) == ROWS + 1, PATIENCE, "the row on the old source")
    shop.run("database instance detach", instance)
    wait_for(lambda: "replica_of" not in shop.api.show(instance), PATIENCE, "the detachment")
    shop.active(instance)
    return replica


def _strangers(stack: CloudStack, instance: str) -> None:
    """A user of another project finds nothing, a reader changes nothing, a member does not administer."""
    other = stack.of(OTHER)
    for method, path in [
        ("GET", ""),
        ("DELETE", ""),
        ("PATCH", ""),
        ("POST", "/action"),
        ("GET", "/databases"),
        ("GET", "/users"),
        ("GET", "/backups"),
        ("GET", "/configuration"),
        ("POST", "/root"),
        ("GET", "/log"),
    ]:
        body = {"restart": {}} if path == "/action" else {"instance": {"name": "x"}} if method == "PATCH" else None
        answer = other.raw(method, f"/instances/{instance}{path}", body)
        assert answer.status_code == 404, (method, path, answer.text)
    with pytest.raises(Refused, match="HTTP 403"):
        stack.command(READER)("database instance restart", instance)
    assert stack.client().raw("GET", "/mgmt/instances").status_code == 401


def test_users_see_none_of_it(stack: CloudStack) -> None:
    client = stack.client()
    with stack.nothing_left():
        instance = client.created("hidden")
        tenant = stack.place.devcloud.openstack("tenant1")
        assert not list(tenant.compute.servers())
        assert not list(tenant.block_storage.volumes())
        assert not list(tenant.network.ports())
        stranger = stack.of("tenant2")
        stranger.ask("GET", f"/instances/{instance['id']}", status=404)
        stranger.ask("DELETE", f"/instances/{instance['id']}", status=404)
        client.ask("GET", "/mgmt/instances", status=401)
        client.deleted(instance["id"])


def test_what_the_cloud_can_not_do_is_refused(stack: CloudStack) -> None:
    client = stack.client()
    theirs = stack.place.devcloud.openstack("tenant2").network.create_network(name="theirs")
    wrong: dict[str, dict[str, Any]] = {
        "flavorRef": {"flavor": "99"},
        "volume.type": {"volume": {"size": 1, "type": "gold"}},
        "availability_zone": {"availability_zone": "mars"},
        "nics": {"nics": [{"net-id": theirs.id}]},
        "nics.subnet_id": {"nics": [{"subnet_id": theirs.id}]},
    }
    with stack.nothing_left():
        for field, change in wrong.items():
            wanted = {"name": "wrong", "flavorRef": change.pop("flavor", "1"), "volume": {"size": 1}, **change}
            answer = client.raw("POST", "/instances", {"instance": wanted})
            assert answer.status_code == 400, answer.text
            assert f"({field})" in answer.text
    stack.place.devcloud.openstack("tenant2").network.delete_network(theirs)
