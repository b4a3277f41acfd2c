# SPDX-License-Identifier: Apache-2.0
"""Other flavors. Nova keeps the old server until the new one is confirmed, and goes back to it when told so."""

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Json
from dbflow.cloud.openstack.nova import Nova, Turn

VERIFY = "VERIFY_RESIZE"
MOVABLE = ("ACTIVE", "SHUTOFF", VERIFY)
"""States of what can be resized or migrated, or has just been."""
_CONFIRMING = "has not been resized"


class Resizing:
    """Each call is made again until it returns."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova

    def resize(self, instance_id: str, flavor_id: str) -> base.Server:
        """Ends in VERIFY_RESIZE, or ACTIVE where it was confirmed already."""
        server = self._nova.settled(instance_id)
        self._nova.must_be(instance_id, server, *MOVABLE)
        if str(server["flavor"]["id"]) == flavor_id:
            return self._nova.running(instance_id)
        if server["status"] == VERIFY:
            self.confirm(instance_id)  # of an earlier operation, which ended without
        if self._nova.turn(instance_id, server, "resize", flavor_id) is Turn.FAILED:
            raise self._nova.refusal(instance_id, server, "resize")
        self._nova.mark(instance_id, server, "resize", flavor_id)
        self._nova.act(instance_id, server, "resize", {"flavorRef": flavor_id})
        raise self._nova.soon(instance_id, "be resized")

    def confirm(self, instance_id: str) -> None:
        """Ends when nothing waits for it."""
        server = self._nova.settled(instance_id)
        if server["status"] != VERIFY:
            return
        raise self._ended(instance_id, server, "confirmResize", "be confirmed")

    def back(self, instance_id: str, server: Json) -> Exception:
        """Have a server in VERIFY_RESIZE become what it was; to raise. Too late, it is ACTIVE when next looked at."""
        return self._ended(instance_id, server, "revertResize", "be reverted")

    def revert(self, instance_id: str, flavor_id: str) -> base.Server:
        """Ends in ACTIVE."""
        server = self._nova.settled(instance_id)
        same = str(server["flavor"]["id"]) == flavor_id
        if server["status"] == VERIFY and not same:
            raise self.back(instance_id, server)
        if not same:
            self.resize(instance_id, flavor_id)
        self.confirm(instance_id)
        running = self._nova.running(instance_id)
        self._nova.unmark(instance_id, "resize")
        return running

    def _ended(self, instance_id: str, server: Json, action: str, what: str) -> Exception:
        try:
            self._nova.act(instance_id, server, action)
        except base.CloudError as error:
            # What it says while it confirms already: no task tells of that.
            if _CONFIRMING not in str(error):
                raise
        return self._nova.soon(instance_id, what)
