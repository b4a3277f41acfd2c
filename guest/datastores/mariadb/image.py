# SPDX-License-Identifier: Apache-2.0
"""A data directory that holds nothing but the system tables, secured; it is the same for every instance.

An image is a directory with the data directory in ``data`` and the server program it was made by in ``made-by``:
an image of another server is not used. It holds no secret, since the only account left is MariaDB's own locked
``mariadb.sys``; dbflow's administrator comes with the instance's first start.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from guest.datastores.base import DatastoreError
from guest.datastores.mariadb import programs
from guest.datastores.mariadb.layout import Layout, Owner
from guest.datastores.mariadb.log import reason

INSTALL_TIMEOUT = 300.0
"""Seconds"""
_SECURE = (
    "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';",
    "DELETE FROM mysql.db;",
    "DELETE FROM mysql.proxies_priv;",
)


def build(target: pathlib.Path, layout: Layout) -> None:
    """Make an image at ``target``, whole or not at all."""
    work = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        make_data(work / "data", layout)
        (work / "made-by").write_text(maker(layout))
        for path in (work, *work.rglob("*")):
            # Nothing in it is secret, and the agent that copies it may be any user.
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def fits(image: pathlib.Path | None, layout: Layout) -> bool:
    """Whether there is an image made by the server that is here."""
    try:
        return image is not None and (image / "made-by").read_text() == maker(layout)
    except FileNotFoundError:
        return False


def copy(image: pathlib.Path, data: pathlib.Path, owner: Owner) -> None:
    """Copy an image's data directory to ``data``; shares blocks where the file system can."""
    _make_directory(data, owner)
    _run(["cp", "-R", "--reflink=auto", f"{image}/data/.", str(data)], owner, "copy the prepared data directory")
    for path in (data, *(path for path in data.rglob("*") if path.is_dir())):
        path.chmod(0o700)


def settle(data: pathlib.Path, owner: Owner) -> None:
    """Bring everything to the disk at once: what is called installed must be there after a power failure. (A sync
    of each of the 200 small files takes many times as long.)"""
    _run(["sync", "-f", str(data)], owner, "write the data directory to the disk")


def make_data(data: pathlib.Path, layout: Layout) -> None:
    """Make a secured data directory with the server's own installation program."""
    owner = layout.owner
    temporary = data.with_name(f"{data.name}.tmp")
    for directory in (data, temporary):
        _make_directory(directory, owner)
    secure = data.with_name(f"{data.name}.sql")
    secure.write_text("\n".join(_SECURE))
    secure.chmod(0o644)
    arguments = [
        layout.program("mariadb-install-db"),
        "--no-defaults",
        f"--datadir={data}",
        f"--extra-file={secure}",
        # Not /tmp: another server that starts there deletes the temporary tables of this one.
        f"--tmpdir={temporary}",
        "--skip-test-db",
        "--skip-name-resolve",
        "--auth-root-authentication-method=normal",
        # The smallest there is: the first start makes the one of the configuration, and the image stays small.
        "--innodb-log-file-size=4M",
    ]
    _run(arguments, owner, "make a data directory")
    secure.unlink()
    shutil.rmtree(temporary)


def _make_directory(data: pathlib.Path, owner: Owner) -> None:
    data.parent.chmod(0o711)
    data.mkdir(mode=0o700)
    owner.give(data)


def _run(arguments: list[str], owner: Owner, what: str) -> None:
    try:
        done = subprocess.run(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=INSTALL_TIMEOUT,
            check=False,
            cwd="/",
            **programs.as_user(owner),
        )
    except subprocess.TimeoutExpired:
        raise DatastoreError(f"Could not {what} within {INSTALL_TIMEOUT:g} s.") from None
    if done.returncode != 0:
        said = reason(done.stdout) or done.stdout.strip()[-300:] or f"{arguments[0]} ended with {done.returncode}."
        raise DatastoreError(f"Could not {what}: {said}")


def maker(layout: Layout) -> str:
    """Identifies the server that is here without running it."""
    program = os.stat(layout.program("mariadbd"))
    return f"{program.st_size} {int(program.st_mtime)}"
