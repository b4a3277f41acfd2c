# SPDX-License-Identifier: Apache-2.0
"""MariaDB's programs, and how they are run: as the server's user, with a bare environment."""

import functools
import os
import pathlib
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from guest.datastores.base import DatastoreError, cloud_marks

if TYPE_CHECKING:
    from guest.datastores.mariadb.layout import Owner  # which looks for programs here

SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"])


@functools.cache
def find(name: str, first: pathlib.Path | None = None) -> str:
    """The program's path: in the directory ``first``, or of this machine. Debian keeps mariadbd where an ordinary
    user's PATH does not look."""
    path = shutil.which(name, path=SEARCH_PATH if first is None else os.pathsep.join([str(first), SEARCH_PATH]))
    if path is None:
        raise DatastoreError(f"The program {name} is not installed on this machine.")
    return path


def as_user(owner: "Owner") -> dict[str, Any]:
    """Arguments of Popen: of the agent's environment only the cloud's marks, files that others may not read, and the
    server's user when the agent is root."""
    arguments: dict[str, Any] = {
        "env": {"PATH": SEARCH_PATH, "LC_ALL": "C", **cloud_marks()},
        "stdin": subprocess.DEVNULL,
        "umask": 0o027,
    }
    if owner.switch:
        arguments |= {"user": owner.uid, "group": owner.gid, "extra_groups": []}
    return arguments
