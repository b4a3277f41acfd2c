# SPDX-License-Identifier: Apache-2.0
"""What a project of a cloud holds."""

from openstack.connection import Connection

from tests.functional.stack.inventory import Inventory


def inventory(cloud: Connection) -> Inventory:
    """Everything that an instance may be made of, or leave behind, with what exists twice twice."""
    project = {"project_id": cloud.current_project_id}
    containers = [box.name for box in cloud.list_containers()]
    return {
        "servers": _of(cloud.compute.servers()),
        "server groups": _of(cloud.compute.server_groups()),
        "volumes": _of(cloud.block_storage.volumes()),
        "snapshots": _of(cloud.block_storage.snapshots()),
        "ports": _of(cloud.network.ports(**project)),
        "floating addresses": _of(cloud.network.ips(**project), "description"),
        "security groups": _of(cloud.network.security_groups(**project)),
        "containers": sorted(containers),
        "in containers": sorted(f"{box}/{item.name}" for box in containers for item in cloud.list_objects(box)),
    }


def _of(found: object, key: str = "name") -> list[str]:
    return sorted(str(getattr(one, key)) for one in found)  # type: ignore[attr-defined]
