# SPDX-License-Identifier: Apache-2.0
"""Servers that must not come back by themselves.

Nobody can write to the disk of a server that is stopped, so that its guest would find the file that fences it. What
takes its place: the data is taken away. A server that somebody starts all the same finds no volume, and its guest does
not start without. Its ports are cut off first: a database that is shut down may still tell clients that it has
committed what no replica has.
"""

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.hosts import Hosts
from dbflow.cloud.openstack.networks import NeutronNetworks
from dbflow.cloud.openstack.nova import TASK, Nova, named
from dbflow.cloud.openstack.resizing import VERIFY, Resizing
from dbflow.cloud.openstack.volumes import CinderVolumes

_AWAKE = {"PAUSED": "unpause", "SUSPENDED": "resume", "RESCUE": "unrescue"}
"""State in which a server can't be stopped -> the action that ends it."""


class Fencing:
    """Each call is made again until it returns."""

    def __init__(
        self,
        nova: Nova,
        compute: Service,
        networks: NeutronNetworks,
        volumes: CinderVolumes,
        hosts: Hosts,
        resizing: Resizing,
    ) -> None:
        self._nova, self._compute, self._networks, self._volumes = nova, compute, networks, volumes
        self._hosts, self._resizing = hosts, resizing

    def fence(self, instance_id: str) -> None:
        """Ends when it is stopped and has no volume, or is gone. CloudError at once where its host is down."""
        server = self._nova.find(instance_id)
        attached = [] if server is None else self._attached(instance_id, server)
        if server is not None and (server["status"] != "SHUTOFF" or attached) and self._hosts.is_down(server):
            # Nova would take the order, and leave it to the host.
            raise base.CloudError(
                f"{named(instance_id)} can't be fenced: its host is down. "
                "An administrator must see that the host stays off, and evacuate the server, before it is tried again."
            )
        self._networks.switch(instance_id, False)
        if server is None:
            self._volumes.release(instance_id)
        elif server[TASK] == "deleting":
            raise self._nova.soon(instance_id, "be deleted")
        else:
            self._stop(instance_id)
            for volume_id in attached:
                self._take(instance_id, server, volume_id)
                raise self._nova.soon(instance_id, "let go of its volume")
        self._await_volume(instance_id, "available")

    def unfence(self, instance_id: str) -> None:
        """Ends when it is ACTIVE, or where nobody can start it: gone, or as it was on a host that is down."""
        self._networks.switch(instance_id, True)
        server = self._nova.find(instance_id)
        if server is None or server[TASK] == "deleting":
            return
        volume, attached = self._volumes.find(instance_id), self._attached(instance_id, server)
        if self._hosts.is_down(server):
            if volume is None or attached:
                return
            raise self._nova.soon(instance_id, "have its host back, which is down")
        self._nova.settled(instance_id)
        if volume is not None and not attached:
            body = {"volumeAttachment": {"volumeId": volume["id"]}}
            self._await_volume(instance_id, "available")
            guard.still_wanted()
            self._compute.post(named(instance_id), _attachments(server), body)
            raise self._nova.soon(instance_id, "get its volume")
        self._await_volume(instance_id, "in-use")
        self._nova.running(instance_id)

    def _stop(self, instance_id: str) -> None:
        server = self._nova.settled(instance_id)
        if server["status"] == VERIFY:
            self._resizing.confirm(instance_id)
        if server["status"] != "SHUTOFF":
            action = _AWAKE.get(server["status"], "os-stop")
            self._nova.act(instance_id, server, action)
            raise self._nova.soon(instance_id, "stop")

    def _take(self, instance_id: str, server: Json, volume_id: str) -> None:
        """Nova shows an attachment until all of it is gone, and does not like to be asked for its end twice; a detach
        that has failed leaves the volume in use."""
        status = self._volumes.status(volume_id)
        if status is not None and status.startswith("error"):
            raise base.CloudError(f"Volume of instance {instance_id} is in state {status}")
        if status in (None, "in-use"):
            guard.still_wanted()
            self._compute.delete(named(instance_id), f"{_attachments(server)}/{volume_id}")

    def _attached(self, instance_id: str, server: Json) -> list[str]:
        """Ids of the instance's volumes that the server has."""
        try:
            found = self._compute.get(named(instance_id), _attachments(server))["volumeAttachments"]
        except base.NotFound as error:
            raise self._nova.soon(instance_id, "be gone") from error
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
