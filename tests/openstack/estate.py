# SPDX-License-Identifier: Apache-2.0
"""What a project of a cloud holds."""

from openstack.connection import Connection

from tests.functional.stack.inventory import Inventory


def inventory(cloud: Connection) -> Inventory:
    """Everything that an instance may be made of, or leave behind."""
    project = {"project_id": cloud.current_project_id}
    objects = [f"{box.name}/{item.name}" for box in cloud.list_containers() for item in cloud.list_objects(box.name)]
    return {
        "servers": _names(cloud.compute.servers()),
        "server groups": _names(cloud.compute.server_groups()),
        "volumes": _names(cloud.block_storage.volumes()),
        "snapshots": _names(cloud.block_storage.snapshots()),
        "ports": _names(cloud.network.ports(**project)),
        "security groups": _names(cloud.network.security_groups(**project)),
        "containers": sorted(objects),
    }


def _names(found: object) -> list[str]:
    return sorted(str(one.name) for one in found)  # type: ignore[attr-defined]
