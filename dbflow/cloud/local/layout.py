# SPDX-License-Identifier: Apache-2.0
"""Where everything lies below the state directory."""

import hashlib
import os
import pathlib
import re
import stat
import tempfile

from dbflow.cloud.base import CloudError
from dbflow.cloud.local.files import naming
from dbflow.cloud.local.owner import Owner

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_SOCKET_DIRECTORY_MAX = 80
"""A Unix socket's whole path has 107 bytes; this leaves 26 for its name."""


class Layout:
    """Paths; the directory that holds them is made, and checked, at once."""

    def __init__(self, state_dir: str, image_dir: str, owner: Owner) -> None:
        self.root = pathlib.Path(os.path.realpath(state_dir))
        self.images = pathlib.Path(os.path.realpath(image_dir))
        self.owner = owner
        self.servers = self.root / "servers"
        self.hosts = self.root / "hosts"
        self.volumes = self.root / "volumes"
        self.addresses = self.root / "addresses"
        self.locks = self.root / "locks"
        self._make()

    def server(self, instance_id: str) -> pathlib.Path:
        """Directory of a server, as the server itself knows it."""
        return self.servers / checked_id(instance_id)

    def make_host(self, name: str) -> None:
        """Make the directory of a host; fine when it is there."""
        self._make_open(self.hosts / name)

    def volume(self, instance_id: str) -> pathlib.Path:
        """Directory of a volume."""
        return self.volumes / checked_id(instance_id)

    def run_dir(self, instance_id: str) -> pathlib.Path:
        """Directory for a server's sockets: below its own directory, or a shorter one when that path is long."""
        inside = self.server(instance_id) / "run"
        if len(os.fsencode(inside)) < _SOCKET_DIRECTORY_MAX:
            return inside
        digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        return pathlib.Path(tempfile.gettempdir()) / f"dbflow-{os.geteuid()}" / digest

    def make_run_dir(self, run_dir: pathlib.Path, owner: Owner) -> None:
        """Make a directory of :meth:`run_dir`; a short one's parent must be ours, or anybody could plant sockets."""
        parent = run_dir.parent
        if not parent.is_relative_to(self.servers):
            parent.mkdir(mode=self._mode, parents=True, exist_ok=True)
            found = parent.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise CloudError(f"{parent} is not a directory that only user {os.geteuid()} can write; remove it")
            parent.chmod(self._mode)
        owner.own(run_dir)

    @property
    def _mode(self) -> int:
        """Of directories that a database server's user walks through."""
        return 0o711 if self.owner.name is not None else 0o700

    def _make(self) -> None:
        if any(ord(character) < 32 for character in str(self.root)):
            raise CloudError("[local_cloud] state_dir: control characters are not allowed")
        with naming(f"[local_cloud] state_dir {self.root}"):
            if not self.root.exists():
                self.root.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                self.root.mkdir(mode=self._mode, exist_ok=True)
                self.root.chmod(self._mode)
            for path in (self.servers, self.hosts, self.volumes, self.images):
                self._make_open(path)
            for path in (self.addresses, self.locks):
                path.mkdir(mode=0o700, exist_ok=True)
            if not os.access(self.locks, os.W_OK | os.X_OK):
                raise PermissionError(13, "not writable by this user", str(self.locks))
        for path in (self.servers, self.hosts, self.volumes, self.images):
            self.owner.of_instance("127.0.0.1").check_reach(path)

    def _make_open(self, path: pathlib.Path) -> None:
        path.mkdir(mode=self._mode, parents=True, exist_ok=True)
        path.chmod(self._mode)


def checked_id(instance_id: str) -> str:
    """The id itself, when it is fit to be a file's name."""
    if not _ID.fullmatch(instance_id):
        raise CloudError(f"{instance_id[:80]!r} is not an instance id")
    return instance_id
