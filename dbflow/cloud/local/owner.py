# SPDX-License-Identifier: Apache-2.0
"""The unprivileged users that database servers run as when dbflow is root: each instance its own.

The administrator of a database may have its server write files (a log, say) wherever the server's user can. So no two
instances share a user. These users have numbers and no names; a number follows from the instance's address, which
nobody else has.
"""

import dataclasses
import functools
import ipaddress
import logging
import os
import pathlib
import pwd
import subprocess

from dbflow.cloud.base import CloudError

LOG = logging.getLogger(__name__)
_FIRST_UID, _UIDS = 1_879_048_192, 1 << 24
"""A range that neither Debian, systemd nor container managers give away: one for each address of 127.0.0.0/8."""


@dataclasses.dataclass(frozen=True)
class Owner:
    """Who owns the directories that a database server writes. ``name`` is None when dbflow is not root; UID:GID
    names a user without a name."""

    name: str | None
    uid: int
    gid: int

    def of_instance(self, address: str) -> "Owner":
        """The user of the instance with this address."""
        if self.name is None or not _has_range():
            return self
        uid = _FIRST_UID + int(ipaddress.IPv4Address(address)) % _UIDS
        return Owner(f"{uid}:{uid}", uid, uid)

    def own(self, path: pathlib.Path, mode: int = 0o700) -> None:
        """Make the directory if need be, and give it to this user."""
        path.mkdir(mode=mode, exist_ok=True)
        path.chmod(mode)
        if self.name is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def check_reach(self, directory: pathlib.Path) -> None:
        """CloudError naming the first directory on the way that databases' users may not enter."""
        if self.name is None or self._enters(directory):
            return
        for part in [*reversed(directory.parents), directory]:
            if not self._enters(part):
                raise CloudError(
                    f"[local_cloud] state_dir {directory}: databases do not run as root, and others may not enter "
                    f"{part}; run 'chmod o+x {part}', or choose a state_dir elsewhere"
                )

    def _enters(self, directory: pathlib.Path) -> bool:
        # Asked of the kernel as that user, since access lists and mount options count too.
        done = subprocess.run(
            ["/usr/bin/test", "-x", str(directory)],
            check=False,
            cwd="/",
            user=self.uid,
            group=self.gid,
            extra_groups=[],
        )
        return done.returncode == 0


@functools.cache
def _has_range() -> bool:
    """Whether this machine (or container) has the users of the range."""
    for line in pathlib.Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= _FIRST_UID and first + count >= _FIRST_UID + _UIDS:
            return True
    LOG.warning("no user of its own for each database: the user namespace has too few users; they share one")
    return False


def find_owner(run_as: str) -> Owner:
    """The current user, or, when that is root, the user named ``run_as``. CloudError when there is none."""
    if os.geteuid() != 0:
        return Owner(None, os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(run_as)
    except KeyError:
        raise CloudError(
            f"[local_cloud] run_as: there is no user {run_as!r}, and database servers do not run as root; run "
            f"'useradd --system --no-create-home --shell /usr/sbin/nologin {run_as}', or set run_as to another user"
        ) from None
    if entry.pw_uid == 0:
        raise CloudError(f"[local_cloud] run_as: {run_as!r} is root; name an unprivileged user")
    return Owner(run_as, entry.pw_uid, entry.pw_gid)
