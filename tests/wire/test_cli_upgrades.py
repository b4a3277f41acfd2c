# SPDX-License-Identifier: Apache-2.0
"""`openstack database instance upgrade|rebuild`, on a server that has an image of the next release."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.functional.stack import EmbeddedStack, mysql, new_password, query
from tests.functional.stack.rootfs import IMAGE, RELEASE, rootfs
from tests.wire.cli import OpenStack, Refused


@pytest.fixture(scope="module")
def place(images: pathlib.Path) -> Iterator[EmbeddedStack]:
    with rootfs() as directory, EmbeddedStack(images, {"local_cloud": {"rootfs_dir": directory}}) as stack:
        yield stack


@pytest.mark.commands("database instance upgrade", "database instance rebuild")
def test_upgrade_and_rebuild(place: EmbeddedStack) -> None:
    openstack, admin = (OpenStack(place.state / "clouds.yaml", cloud) for cloud in ("dbflow", "dbflow-admin"))
    client, password = place.client(), new_password()
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    instance_id = client.created("shop", databases=[{"name": "d"}], users=[user])["id"]

    def ask(statement: str) -> str:
        with mysql(client.wait_healthy(instance_id), "u", password, "d") as connection:
            ((answer,),) = query(connection, statement)
            return str(answer)

    with mysql(client.show(instance_id), "u", password, "d") as connection:
        query(connection, "CREATE TABLE t AS SELECT seq AS n FROM seq_1_to_9")

    create = f"datastore version create {RELEASE} mariadb mariadb"
    with pytest.raises(Refused, match="'no-image' cannot be found"):
        admin(f"{create} no-image --version-number {RELEASE}.6 --active")
    admin(f"{create} {IMAGE} --version-number {RELEASE}.6 --active")
    with pytest.raises(Refused, match="HTTP 400"):
        openstack("database instance upgrade shop 9.9")
    openstack(f"database instance upgrade shop {RELEASE}")
    client.wait_status(instance_id, "ACTIVE")
    assert ask("SELECT VERSION()").startswith(f"{RELEASE}.")
    assert ask("SELECT sum(n) FROM t") == "45"
    assert openstack.table("database instance show shop")["datastore_version"] == RELEASE

    agent = place.agent(instance_id)
    with pytest.raises(Refused, match="HTTP 40"):
        openstack(f"database instance rebuild {instance_id} {IMAGE}")
    with pytest.raises(Refused, match="image_id"):
        admin(f"database instance rebuild {instance_id} no-image")
    admin(f"database instance rebuild {instance_id} {IMAGE}")
    client.wait_status(instance_id, "ACTIVE")
    assert place.agent(instance_id) != agent
    assert ask("SELECT sum(n) FROM t") == "45"
    client.deleted(instance_id)
