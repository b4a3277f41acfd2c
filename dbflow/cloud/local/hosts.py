# SPDX-License-Identifier: Apache-2.0
"""Hosts: directories ``hosts/NAME``, each with what is on the disks of its servers.

A server itself knows another path, ``servers/INSTANCE ID``, which is a link to its place on the host that it is on: a
machine finds its own disk at the same path wherever it runs. Volumes are no part of it.
"""

import pathlib
from collections.abc import Sequence

from dbflow.cloud import base
from dbflow.cloud.local import files
from dbflow.cloud.local.layout import Layout

FIRST = "local"
"""Where the servers are that were made before there was more than one."""


class LocalHosts:
    """Those of the configuration, and those that still have servers. For the holder of an instance's lock."""

    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        if not names or len(set(names)) != len(names):
            raise base.CloudError("[local_cloud] hosts: at least one name, and none twice")
        self._layout = layout
        self._names = list(names)
        for name in names:
            layout.make_host(name)

    def names(self) -> list[str]:
        """Where servers may be put, in order of configuration."""
        return list(self._names)

    def choose(self, host: str | None = None, but: str | None = None) -> str:
        """That host; None: the one with the fewest servers, of several the first, and not ``but``. NotFound when there
        is none of that name, OutOfCapacity when there is no other."""
        if host is not None:
            if host not in self._names:
                raise base.NotFound(f"Host {host[:80]!r} cannot be found.")
            return host
        others = [name for name in self._names if name != but]
        if not others:
            raise base.OutOfCapacity(f"There is no host but {but}.")
        return min(others, key=lambda name: len(files.names(self._layout.hosts / name)))

    def servers(self) -> list[str]:
        """Instance ids of all that there is, complete or not."""
        there = (name for host in files.names(self._layout.hosts) for name in files.names(self._layout.hosts / host))
        return sorted({*files.names(self._layout.servers), *there})

    def find(self, instance_id: str) -> pathlib.Path:
        """The server's directory, also while it is being moved; where it would be, if there is none."""
        path = self._layout.server(instance_id)
        return path if path.exists() else next(iter(self._places(instance_id)), path)

    def make(self, instance_id: str, host: str) -> pathlib.Path:
        """An empty directory for a new server there; the path that the server knows."""
        self._link(instance_id, host)
        place = self._layout.hosts / host / instance_id
        place.mkdir(mode=0o711)
        place.chmod(0o711)
        return self._layout.server(instance_id)

    def bring(self, instance_id: str, host: str) -> None:
        """Move the directory there, if it is not; nothing of the server runs then."""
        there = self._layout.server(instance_id).resolve()
        if host != (there.parent.name if there.is_relative_to(self._layout.hosts) else FIRST):
            self._layout.make_host(host)
            files.move(there, self._layout.hosts / host / instance_id)
            self._link(instance_id, host)

    def mend(self, instance_id: str) -> None:
        """Link to where the directory is, when a move was broken off."""
        found = self.find(instance_id)
        if found != self._layout.server(instance_id):
            self._link(instance_id, found.parent.name)

    def remove(self, instance_id: str) -> None:
        """Everything of the server, wherever it is; fine when there is nothing."""
        for place in self._places(instance_id):
            files.remove_tree(place)
        path = self._layout.server(instance_id)
        self._unfinished(path).unlink(missing_ok=True)
        if path.is_symlink():
            path.unlink()
        else:
            files.remove_tree(path)

    def _link(self, instance_id: str, host: str) -> None:
        path, target = self._layout.server(instance_id), pathlib.Path("..", "hosts", host, instance_id)
        if path.is_symlink() and path.readlink() == target:
            return
        unfinished = self._unfinished(path)
        unfinished.unlink(missing_ok=True)
        unfinished.symlink_to(target)
        files.move(unfinished, path)

    def _places(self, instance_id: str) -> list[pathlib.Path]:
        places = (self._layout.hosts / host / instance_id for host in files.names(self._layout.hosts))
        return [place for place in places if place.exists()]

    @staticmethod
    def _unfinished(path: pathlib.Path) -> pathlib.Path:
        return path.with_name(f".{path.name}")
