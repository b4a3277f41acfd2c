# SPDX-License-Identifier: Apache-2.0
"""Servers that must not come back by themselves.

Nobody can write to the disk of a server that is stopped, so that its guest would find the file that fences it. What
takes its place: the data is taken away. A server that somebody starts all the same finds no volume, and its guest does
not start without. Its ports are cut off first: a database that is shut down may still tell clients that it has
committed what no replica has.
"""

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.networks import NeutronNetworks
from dbflow.cloud.openstack.nova import Nova, named
from dbflow.cloud.openstack.volumes import CinderVolumes


class Fencing:
    """Each call is made again until it returns."""

    def __init__(self, nova: Nova, compute: Service, networks: NeutronNetworks, volumes: CinderVolumes) -> None:
        self._nova, self._compute, self._networks, self._volumes = nova, compute, networks, volumes

    def fence(self, instance_id: str) -> None:
        """Ends when it is stopped and has no volume."""
        self._networks.switch(instance_id, False)
        server = self._nova.settled(instance_id)
        if server["status"] != "SHUTOFF":
            self._nova.act(instance_id, server, "os-stop")
            raise self._nova.soon(instance_id, "stop")
        for volume_id in self._attached(instance_id, server):
            self._compute.delete(named(instance_id), f"{_attachments(server)}/{volume_id}")
            raise self._nova.soon(instance_id, "let go of its volume")
        self._await_volume(instance_id, "available")

    def unfence(self, instance_id: str) -> None:
        """Ends when it is ACTIVE."""
        server = self._nova.settled(instance_id)
        volume = self._volumes.find(instance_id)
        if volume is not None and not self._attached(instance_id, server):
            body = {"volumeAttachment": {"volumeId": volume["id"]}}
            self._await_volume(instance_id, "available")
            self._compute.post(named(instance_id), _attachments(server), body)
            raise self._nova.soon(instance_id, "get its volume")
        self._await_volume(instance_id, "in-use")
        self._networks.switch(instance_id, True)
        self._nova.running(instance_id)

    def _attached(self, instance_id: str, server: Json) -> list[str]:
        """Ids of the instance's volumes that the server has."""
        found = self._compute.get(named(instance_id), _attachments(server))["volumeAttachments"]
        return [one["volumeId"] for one in found]

    def _await_volume(self, instance_id: str, status: str) -> None:
        volume = self._volumes.find(instance_id)
        if volume is None or volume["status"] == status:
            return
        if volume["status"].startswith("error"):
            raise base.CloudError(f"Volume of instance {instance_id} is in state {volume['status']}")
        raise self._nova.soon(instance_id, f"have its volume {status}")


def _attachments(server: Json) -> str:
    return f"/servers/{server['id']}/os-volume_attachments"
