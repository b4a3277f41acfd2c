# SPDX-License-Identifier: Apache-2.0
"""Server groups: which servers are to share a host, and which are not."""

from collections.abc import Callable

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json
from dbflow.cloud.openstack.names import Names
from dbflow.cloud.openstack.nova import Nova

_VERSION = "2.64"
"""The microversion in which a group has one policy."""


class ServerGroups:
    """One for an instance that was made with a locality, and its replicas."""

    def __init__(self, nova: Nova, names: Names, has_port: Callable[[str], bool]) -> None:
        """``has_port`` says whether an instance has a port, and so may be about to get a server."""
        self._nova, self._names, self._has_port = nova, names, has_port

    def ensure(self, boot: base.Boot) -> str | None:
        """Id of the group that a new server is to be in; None where it is to be in none."""
        if boot.beside is not None:
            return self._beside(boot.beside)
        if boot.locality is None:
            return None
        name = self._names.of(boot.instance_id)
        found = [group for group in self.all() if group["name"] == name]
        if not found:
            guard.still_wanted()
            body = {"server_group": {"name": name, "policy": boot.locality}}
            answer = self._nova.compute.post("Server group", "/os-server-groups", body, version=_VERSION)
            return str(answer["server_group"]["id"])
        return min(str(group["id"]) for group in found)

    def tidy(self, instance_id: str) -> None:
        """Remove those that have no member left: this instance's, which has no server any more, and those of instances
        that are gone."""
        for group in self.stale():
            owner = self._names.instance(group["name"])
            if owner == instance_id or (owner is not None and not self._has_port(owner)):
                self._nova.compute.delete("Server group", f"/os-server-groups/{group['id']}")

    def stale(self) -> list[Json]:
        """Those without a member."""
        return [group for group in self.all() if not group["members"]]

    def all(self) -> list[Json]:
        """Whatever is named as ours are."""
        return [group for group in self._list() if group["name"].startswith(self._names.prefix)]

    def _list(self) -> list[Json]:
        """Nova gives so many at once (1000 where nothing else is set), and no link to more."""
        found: list[Json] = []
        while page := self._page(len(found)):
            found += page
        return found

    def _page(self, offset: int) -> list[Json]:
        query = {"offset": offset}
        answer = self._nova.compute.get("Server groups", "/os-server-groups", query, version=_VERSION)
        page: list[Json] = answer["server_groups"]
        return page

    def _beside(self, instance_id: str) -> str | None:
        server = self._nova.find(instance_id)
        if server is None:
            return None
        return next((str(group["id"]) for group in self.all() if server["id"] in group["members"]), None)
