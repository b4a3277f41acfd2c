# SPDX-License-Identifier: Apache-2.0
"""Other hosts. A migration is a resize to the same flavor, and waits to be confirmed as one."""

from dbflow.cloud import base
from dbflow.cloud.openstack.hosts import Hosts
from dbflow.cloud.openstack.nova import HOST, Nova, Turn
from dbflow.cloud.openstack.resizing import MOVABLE, VERIFY, Resizing

_CHOOSING = "2.56"
"""The microversion in which a migration may name its host."""
_ANY = "any"


class Migrating:
    """Each call is made again until it returns."""

    def __init__(self, nova: Nova, hosts: Hosts, resizing: Resizing) -> None:
        self._nova, self._hosts, self._resizing = nova, hosts, resizing

    def migrate(self, instance_id: str, old_host: str, host: str | None) -> base.Server:
        """Ends in VERIFY_RESIZE, or ACTIVE where it was confirmed already."""
        server = self._nova.settled(instance_id)
        self._nova.must_be(instance_id, server, *MOVABLE)
        if server[HOST] != old_host or server["status"] == VERIFY:
            return self._nova.running(instance_id)
        mark = f"{old_host} {host or _ANY}"
        if self._nova.turn(instance_id, server, "migrate", mark) is Turn.FAILED:
            raise self._nova.refusal(instance_id, server, "migrate")
        if host is not None and host not in self._hosts.usable():
            raise base.NotFound(f"Host {host} cannot be found.")
        self._nova.mark(instance_id, server, "migrate", mark)
        self._nova.act(instance_id, server, "migrate", {"host": host}, version=_CHOOSING)
        raise self._nova.soon(instance_id, "be migrated")

    def revert(self, instance_id: str, old_host: str) -> base.Server:
        """Ends in ACTIVE."""
        server = self._nova.settled(instance_id)
        back = server[HOST] == old_host
        if server["status"] == VERIFY and not back:
            raise self._resizing.back(instance_id, server)
        if not back:
            self.migrate(instance_id, server[HOST], old_host)
        self._resizing.confirm(instance_id)
        running = self._nova.running(instance_id)
        self._nova.unmark(instance_id, "migrate")
        return running
