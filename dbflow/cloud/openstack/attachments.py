# SPDX-License-Identifier: Apache-2.0
"""What holds a volume: Cinder's attachments, which outlive the servers that they were made for.

Nova reserves the volume before it has the server, and where it fails in between it leaves the reservation behind. A
server that is deleted while its host is down leaves the attachment, too.
"""

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Json, Service

_ATTACHMENTS = "3.27"
"""The microversion that brought them."""
HELD = frozenset({"in-use", "reserved", "attaching", "detaching"})
"""States of volumes that have some."""


class Attachments:
    """Of volumes."""

    def __init__(self, cinder: Service, compute: Service) -> None:
        self._cinder, self._compute = cinder, compute

    def free(self, instance_id: str, volume: Json) -> list[str]:
        """Remove those whose server Nova has not; the servers of the others.

        Each server is asked for by its id: a list leaves some out while a part of Nova is down.
        """
        named = f"Volume of instance {instance_id}"
        query = {"volume_id": volume["id"]}
        found = self._cinder.list(named, "/attachments", "attachments", query, version=_ATTACHMENTS)
        holders = []
        for one in found:
            if self._has(one["instance"]):
                holders.append(one["instance"])
            else:
                self._cinder.delete(named, f"/attachments/{one['id']}", version=_ATTACHMENTS)
        return holders

    def _has(self, server_id: str | None) -> bool:
        if not server_id:
            return False
        try:
            self._compute.get("Server", f"/servers/{server_id}")
        except base.NotFound:
            return False
        return True
