# SPDX-License-Identifier: Apache-2.0
"""Nova's servers: made, found, restarted, removed."""

import re
from collections.abc import Mapping, Sequence

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.booting import Booting
from dbflow.cloud.openstack.client import Json
from dbflow.cloud.openstack.errors import Passing, patient
from dbflow.cloud.openstack.fencing import Fencing
from dbflow.cloud.openstack.groups import ServerGroups
from dbflow.cloud.openstack.hosts import Hosts
from dbflow.cloud.openstack.migrating import Migrating
from dbflow.cloud.openstack.names import USER, Names
from dbflow.cloud.openstack.nova import TASK, Nova, Turn, named
from dbflow.cloud.openstack.resizing import Resizing
from dbflow.cloud.openstack.unbuilt import Unbuilt
from dbflow.cloud.openstack.volumes import CinderVolumes
from dbflow.cloud.openstack.waiting import FORGOTTEN, age

_OF_OTHERS = re.compile(r"failed to get volume|not authorized for image", re.IGNORECASE)
"""What Nova calls a bad request, though Cinder or Glance only did not answer it: dbflow has just seen both."""


class NovaServers(base.Servers):
    """One an instance."""

    def __init__(
        self,
        nova: Nova,
        names: Names,
        groups: ServerGroups,
        volumes: CinderVolumes,
        booting: Booting,
        hosts: Hosts,
        resizing: Resizing,
        migrating: Migrating,
        fencing: Fencing,
        unbuilt: Unbuilt,
    ) -> None:
        self._nova, self._names, self._groups, self._volumes = nova, names, groups, volumes
        self._booting, self._hosts = booting, hosts
        self._resizing, self._migrating, self._fencing = resizing, migrating, fencing
        self._unbuilt = unbuilt
        self._told: dict[str, str] = {}
        """Server -> the rebuild of which it was told that it failed; one in ERROR takes no note of it."""

    @patient
    def create(self, boot: base.Boot) -> base.Server:
        """Create or find by instance id, and wait for ACTIVE."""
        instance_id = boot.instance_id
        server = self._nova.find(instance_id)
        if server is None:
            guard.still_wanted()
            self._volumes.release(instance_id)
            self._unbuilt.release(instance_id)
            body = self._booting.body(boot, self._groups.ensure(boot))
            guard.still_wanted()  # All of that took a while.
            self._post(instance_id, body)
            raise self._nova.soon(instance_id, "be built")
        if server[TASK] == "deleting":
            guard.still_wanted()
            if not self._hosts.is_down(server):  # of which something may be left
                self._end(instance_id, server)
            raise self._nova.soon(instance_id, "be deleted")
        self._nova.must_rest(instance_id, server)
        if self._unbuilt.is_one(server):
            raise self._unbuilt.ended(instance_id, server)
        return self._nova.started(instance_id, server)

    def _post(self, instance_id: str, body: Json) -> None:
        try:
            self._nova.compute.post(named(instance_id), "/servers", body)
        except base.CloudError as error:
            if _OF_OTHERS.search(str(error)) is None:
                raise
            # Nova goes on with a token that the other service may know to be revoked.
            self._nova.compute.forget_token()
            raise Passing(str(error)) from error

    def get(self, instance_id: str) -> base.Server:
        """NotFound when there is none."""
        return self._nova.view(self._nova.existing(instance_id))

    def several(self, instance_ids: Sequence[str]) -> dict[str, base.Server]:
        """Those of them that there are, by instance id."""
        found: dict[str, base.Server] = {}
        for server in self._nova.several(instance_ids):
            instance_id = self._names.instance(server["name"])
            if instance_id is not None and server[TASK] != "deleting":
                found.setdefault(instance_id, self._nova.view(server))
        return found

    def hosts(self) -> list[str]:
        """Those whose nova-compute is up and enabled. For administrators of the cloud only."""
        return self._hosts.usable()

    @patient
    def resize(self, instance_id: str, flavor_id: str) -> base.Server:
        """Change the flavor; the machine reboots, and waits in VERIFY_RESIZE."""
        return self._resizing.resize(instance_id, flavor_id)

    @patient
    def confirm_resize(self, instance_id: str) -> None:
        """Make a resize or a migration final; fine when there is nothing to confirm."""
        self._resizing.confirm(instance_id)

    @patient
    def revert_resize(self, instance_id: str, flavor_id: str) -> base.Server:
        """Back to ``flavor_id``."""
        return self._resizing.revert(instance_id, flavor_id)

    @patient
    def migrate(self, instance_id: str, old_host: str, host: str | None) -> base.Server:
        """Move the machine; it waits in VERIFY_RESIZE."""
        return self._migrating.migrate(instance_id, old_host, host)

    @patient
    def revert_migration(self, instance_id: str, old_host: str) -> base.Server:
        """Back to ``old_host``."""
        return self._migrating.revert(instance_id, old_host)

    @patient
    def reboot(self, instance_id: str, once: str) -> None:
        """Restart the machine, and wait for ACTIVE."""
        server = self._nova.settled(instance_id)
        self._nova.must_be(instance_id, server, "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED")
        if self._nova.turn(instance_id, server, "reboot", once) is Turn.NEVER:
            self._nova.mark(instance_id, server, "reboot", once)
            kind = "SOFT" if server["status"] == "ACTIVE" else "HARD"
            self._nova.act(instance_id, server, "reboot", {"type": kind})
            raise self._nova.soon(instance_id, "reboot")
        self._nova.running(instance_id)

    @patient
    def rebuild(self, instance_id: str, image: str | None, files: Mapping[str, str], once: str) -> None:
        """Make the machine anew; its volume stays attached, and it gets new user data."""
        server = self._nova.settled(instance_id)
        if self._nova.marked(server, "rebuild") != f"{once}{base.UNDONE}":
            self._rebuild(instance_id, server, image, files, once)
        self._nova.running(instance_id)

    def _rebuild(self, instance_id: str, server: Json, image: str | None, files: Mapping[str, str], once: str) -> None:
        turn = self._nova.turn(instance_id, server, "rebuild", once)
        if turn is Turn.FAILED and server["status"] == "ERROR":
            failed = self._nova.last(instance_id, server, "rebuild")
            if self._told.get(server["id"]) != failed:
                failure = self._nova.failure(instance_id, server)
                self._told[server["id"]] = failed
                raise failure
            turn = Turn.NEVER  # Whoever asks again has it tried again.
        if turn is Turn.FAILED:
            raise self._nova.refusal(instance_id, server, "rebuild")
        if turn is Turn.NEVER:
            self._nova.must_be(instance_id, server, "ACTIVE", "SHUTOFF", "ERROR")
            user = server["metadata"].get(USER)
            body = self._booting.again(instance_id, image or server["image"]["id"], files, user)
            # With it and not before, since a server in ERROR can be rebuilt, but not marked.
            marks = self._nova.marks(instance_id, server, "rebuild", once)
            body["metadata"] = {**server["metadata"], **marks}
            self._nova.act(instance_id, server, "rebuild", body, version=self._booting.AGAIN)
            raise self._nova.soon(instance_id, "be rebuilt")

    @patient
    def fence(self, instance_id: str) -> None:
        """Cut it off, stop it, and take its volume away: whoever starts it finds no database."""
        self._fencing.fence(instance_id)

    @patient
    def unfence(self, instance_id: str) -> None:
        """Let it be reached, give it its volume, and start it, where there is one to start."""
        self._fencing.unfence(instance_id)

    @patient
    def delete(self, instance_id: str) -> None:
        """Delete and wait until it is gone, and its group with the last that was in it."""
        found = self._nova.every(instance_id)
        for server in found:
            self._end(instance_id, server)
        if found:
            raise self._nova.soon(instance_id, "be deleted")
        self._groups.tidy(instance_id)

    def _end(self, instance_id: str, server: Json) -> None:
        """Nova forgets those that it has told a host to delete when that host dies, and those for which it could not
        reach Neutron or Placement; told again, it does it itself."""
        if server[TASK] != "deleting" or age(server["updated"]) >= FORGOTTEN:
            self._nova.remove(instance_id, server)
