# SPDX-License-Identifier: Apache-2.0
"""tools/devcloud: up, status, down, and what servers are in it."""

import contextlib
import os
import pathlib
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from openstack.connection import Connection

from devcloud.fabric import names
from devcloud.guests.state import Guest
from devcloud.processes import Process
from tests.servers.devcloud import DevCloud
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def dbaas(cloud: DevCloud) -> Connection:
    return cloud.openstack("dbaas")


@pytest.fixture(scope="module")
def server(dbaas: Connection) -> Iterator[Any]:
    """With a port and a volume; it boots nothing."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    image = dbaas.image.create_image(name=name, disk_format="raw", container_format="bare", data=b"x")
    network = dbaas.network.create_network(name=name)
    dbaas.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.77.1.0/24")
    port = dbaas.network.create_port(network_id=network.id)
    volume = dbaas.block_storage.create_volume(name=name, size=1)
    dbaas.block_storage.wait_for_status(volume, "available", interval=0.2, wait=60)
    disks = [
        {"boot_index": 0, "uuid": image.id, "source_type": "image", "destination_type": "local"},
        {"boot_index": -1, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"},
    ]
    made = dbaas.compute.create_server(
        name=name, flavor_id="1", image_id=image.id, networks=[{"port": port.id}], block_device_mapping_v2=disks
    )
    yield dbaas.compute.wait_for_server(made, interval=0.2, wait=120)
    dbaas.compute.delete_server(made)
    dbaas.compute.wait_for_delete(made, interval=0.2, wait=60)
    dbaas.block_storage.wait_for_status(volume, "available", interval=0.2, wait=60)
    dbaas.block_storage.delete_volume(volume)
    dbaas.network.delete_port(port)
    dbaas.network.delete_network(network)
    dbaas.image.delete_image(image)


def pids(cloud: DevCloud) -> dict[str, int | None]:
    return {process.name: process.pid for process in Process.all(cloud.settings)}


def test_up_leaves_alone_what_runs(cloud: DevCloud) -> None:
    before = pids(cloud)
    cloud.succeed("up")
    assert pids(cloud) == before
    assert None not in before.values()


def test_up_refuses_to_change_a_cloud(cloud: DevCloud) -> None:
    refused = cloud.run("up", "--port-base", "60000")
    assert refused.returncode == 2
    assert "port_base" in refused.stdout


def test_what_died_is_told_and_started_again(cloud: DevCloud) -> None:
    before = pids(cloud)
    assert cloud.run("status").returncode == 0
    cloud.kill("glance")
    assert pids(cloud)["glance"] is None
    broken = cloud.run("status")
    assert broken.returncode == 1
    (line,) = [line for line in broken.stdout.splitlines() if "dead" in line]
    assert "glance" in line
    cloud.succeed("up")
    after = pids(cloud)
    assert cloud.run("status").returncode == 0
    assert {name for name in before if before[name] != after[name]} == {"glance"}


def test_objects_are_kept(dbaas: Connection) -> None:
    store, data = dbaas.object_store, os.urandom(1 << 20)
    store.create_container(name="kept")
    store.upload_object(container="kept", name="object", data=data)
    assert store.download_object("object", container="kept") == data
    store.delete_object("object", container="kept")
    store.delete_container("kept")


def test_a_server_is_resized_and_goes_back(dbaas: Connection, server: Any) -> None:
    dbaas.compute.resize_server(server, "2")
    dbaas.compute.wait_for_server(server, status="VERIFY_RESIZE", interval=0.2, wait=60)
    dbaas.compute.revert_server_resize(server)
    shown = dbaas.compute.wait_for_server(server, interval=0.2, wait=60)
    assert shown.flavor["original_name"] == "db.tiny"
    dbaas.compute.resize_server(server, "2")
    dbaas.compute.wait_for_server(server, status="VERIFY_RESIZE", interval=0.2, wait=60)
    dbaas.compute.confirm_server_resize(server)
    shown = dbaas.compute.wait_for_server(server, interval=0.2, wait=60)
    assert shown.flavor["original_name"] == "db.small"


def test_an_attached_volume_grows(dbaas: Connection, server: Any) -> None:
    (attached,) = dbaas.compute.volume_attachments(server)
    volume = dbaas.block_storage.get_volume(attached.volume_id)
    assert (volume.status, attached.device) == ("in-use", "/dev/vdb")
    body = {"os-extend": {"new_size": volume.size + 1}}
    dbaas.block_storage.post(f"/volumes/{volume.id}/action", json=body, microversion="3.70").raise_for_status()

    def grown() -> bool:
        found = dbaas.block_storage.get_volume(volume.id)
        return (found.size, found.status) == (volume.size + 1, "in-use")

    wait_for(grown, 60, "a larger volume")


def test_down_leaves_nothing_and_up_brings_it_back(cloud: DevCloud, dbaas: Connection, server: Any) -> None:
    guest = Guest(cloud.directory, server.id)
    networks = [path.name for path in (cloud.directory / "networks").iterdir()]
    sessions = {pid for pid in pids(cloud).values() if pid}
    assert names.exists(guest.namespace)
    assert networks
    cloud.succeed("down")
    assert not sessions & _sessions()
    assert not any(map(names.exists, (guest.namespace, *networks)))
    assert str(cloud.directory) not in pathlib.Path("/proc/mounts").read_text()
    loops = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=True).stdout
    assert str(cloud.directory) not in loops
    assert cloud.run("status").returncode == 3
    cloud.succeed("down")
    cloud.succeed("up")
    assert cloud.run("status").returncode == 0
    wait_for(lambda: names.exists(guest.namespace), 60, "the server's network")
    assert dbaas.compute.get_server(server).status == "ACTIVE"


def _sessions() -> set[int]:
    """Of every process that has not ended."""
    found = set()
    for process in psutil.process_iter(["status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE:
            with contextlib.suppress(ProcessLookupError):
                found.add(os.getsid(process.pid))
    return found
