# SPDX-License-Identifier: Apache-2.0
"""Servers that Nova gave up before they ran."""

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json
from dbflow.cloud.openstack.errors import of_reason
from dbflow.cloud.openstack.networks import NeutronNetworks
from dbflow.cloud.openstack.nova import LAUNCHED, Nova, named


class Unbuilt:
    """Nothing was ever on them."""

    def __init__(self, nova: Nova, networks: NeutronNetworks) -> None:
        self._nova, self._networks = nova, networks

    def is_one(self, server: Json) -> bool:
        """Of a server with which nothing goes on."""
        return server["status"] == "ERROR" and server[LAUNCHED] is None

    def ended(self, instance_id: str, server: Json) -> Exception:
        """Why, to raise. One that may do better goes, so that it is asked for anew."""
        try:
            reason = self._nova.fault(instance_id, server)
        except base.NotFound:
            return self._nova.soon(instance_id, "be deleted")
        if reason is None:
            # Its nova-compute was started anew meanwhile.
            failure: base.CloudError = base.Transient(f"{named(instance_id)}: Nova has given it up")
        else:
            failure = of_reason(named(instance_id), reason)
        if isinstance(failure, base.Transient):
            # What Nova does not know that it has it deletes, or leaves in use: an answer of Neutron's may be lost.
            self._networks.release(instance_id, server["id"])
            guard.still_wanted()
            self._nova.remove(instance_id, server)
        return failure
