# SPDX-License-Identifier: Apache-2.0
"""The unprivileged user that database servers run as when dbflow is root."""

import dataclasses
import os
import pathlib
import pwd
import subprocess

from dbflow.cloud.base import CloudError


@dataclasses.dataclass(frozen=True)
class Owner:
    """Who owns the directories that a database server writes. ``name`` is None when dbflow is not root."""

    name: str | None
    uid: int
    gid: int

    def own(self, path: pathlib.Path, mode: int = 0o700) -> None:
        """Make the directory if need be, and give it to this user."""
        path.mkdir(mode=mode, exist_ok=True)
        path.chmod(mode)
        if self.name is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def check_reach(self, directory: pathlib.Path) -> None:
        """CloudError naming the first directory on the way that the user may not enter."""
        if self.name is None or self._enters(directory):
            return
        for part in [*reversed(directory.parents), directory]:
            if not self._enters(part):
                raise CloudError(
                    f"[local_cloud] state_dir {directory}: databases run as user {self.name}, who may not enter "
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
            extra_groups=os.getgrouplist(self.name or "", self.gid),
        )
        return done.returncode == 0


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
