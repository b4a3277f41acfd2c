# SPDX-License-Identifier: Apache-2.0
"""The next release of MariaDB, as an image of the local cloud."""

import contextlib
import functools
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

from dbflow.cloud.base import CloudError
from dbflow.cloud.local.owner import find_owner
from dbflow.services.seed import ensure_datastore
from tests.functional.stack.base import Stack

_ROOT = pathlib.Path(__file__).parents[3]
_MADE = _ROOT / ".cache" / "rootfs"
SUITE, RELEASE = "trixie", "11.8"
IMAGE = f"mariadb-{RELEASE}"


@functools.cache
def _make() -> None:
    subprocess.run(["bash", str(_ROOT / "tools" / "rootfs.sh"), str(_MADE), SUITE, RELEASE], check=True, timeout=280)


@contextlib.contextmanager
def rootfs() -> Iterator[pathlib.Path]:
    """A directory for ``[local_cloud] rootfs_dir`` that holds it, where databases' users may go."""
    _make()
    try:
        find_owner("dbflow-db").of_instance("127.0.0.1").check_reach(_MADE)
    except CloudError:
        pass
    else:
        yield _MADE
        return
    place = pathlib.Path(tempfile.mkdtemp(prefix="dbflow-rootfs-"))
    place.chmod(0o755)
    try:
        shutil.copytree(_MADE / IMAGE, place / IMAGE, symlinks=True)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def offer(stack: Stack) -> str:
    """Make the next release known to a stack that has the image: its version's id."""
    with contextlib.closing(stack.database()) as database:
        number = f"{RELEASE}.6"
        return ensure_datastore(database, "mariadb", RELEASE, number, manager="mariadb", image=IMAGE, default=False)
