# SPDX-License-Identifier: Apache-2.0
"""Servers that Nova gave up before they ran."""

import contextlib

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json
from dbflow.cloud.openstack.errors import of_reason
from dbflow.cloud.openstack.hosts import Hosts
from dbflow.cloud.openstack.networks import NeutronNetworks
from dbflow.cloud.openstack.nova import LAUNCHED, Nova, named
from dbflow.cloud.openstack.waiting import FORGOTTEN, age


class Unbuilt:
    """Nothing was ever on them."""

    def __init__(self, nova: Nova, networks: NeutronNetworks, hosts: Hosts) -> None:
        self._nova, self._networks, self._hosts = nova, networks, hosts

    def is_one(self, server: Json) -> bool:
        """Of a server with which nothing goes on."""
        return server["status"] == "ERROR" and server[LAUNCHED] is None

    def release(self, instance_id: str) -> None:
        """Take the ports from a server that is no more, which Nova may not have told Neutron.

        One that is there after all was asked for by a call whose answer was lost.
        """
        for server_id in self._networks.servers(instance_id):
            if self._nova.by_id(instance_id, server_id) is not None:
                raise self._nova.soon(instance_id, "be found")
            self._networks.release(instance_id, server_id)

    def ended(self, instance_id: str, server: Json) -> Exception:
        """Why, to raise. One that may do better goes, so that it is asked for anew.

        Of one whose host is down Nova would only forget that there is something. Those who are no administrators do
        not see that, and wait until a host that has come back counts as up.
        """
        if self._hosts.is_down(server):
            return self._nova.soon(instance_id, "have its host back")
        try:
            reason = self._nova.fault(instance_id, server)
        except base.NotFound:
            return self._nova.soon(instance_id, "be deleted")
        if reason is None and age(server["updated"]) < FORGOTTEN:
            return self._nova.soon(instance_id, "be given up")
        if reason is None:
            # Its nova-compute was started anew meanwhile.
            failure: base.CloudError = base.Transient(f"{named(instance_id)}: Nova has given it up")
        else:
            failure = of_reason(named(instance_id), reason)
        if isinstance(failure, base.Transient):
            # What Nova does not know that it has it deletes, or leaves in use: an answer of Neutron's may be lost.
            self._networks.release(instance_id, server["id"])
            guard.still_wanted()
            with contextlib.suppress(base.Unavailable):  # Nova has noted it, and is told again.
                self._nova.remove(instance_id, server)
        return failure
