# SPDX-License-Identifier: Apache-2.0
"""The data volume as a block device: a file system is made on it once, and it is mounted at every start.

A device that holds anything at all is never formatted. One whose formatting was interrupted looks as if it did; a file
on the machine's own disk, which is there from before the first byte until after the last, tells the two apart.
"""

import logging
import os
import pathlib
import shutil
import subprocess
import time

LOG = logging.getLogger(__name__)
FORMATTING = "formatting"
"""Name of that file, in the guest's configuration directory."""
APPEARS_WITHIN = 60.0
"""Seconds."""
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_OPTIONS = "noatime,nodev,nosuid,noexec"
_NOTHING_FOUND = 2
"""What blkid ends with."""


class DiskError(Exception):
    """The volume is not there, or can't be used. ``str()`` says what to do."""


def bring(device: pathlib.Path, directory: pathlib.Path, file_system: str, config_dir: pathlib.Path) -> None:
    """Mount the device on the directory, with a new file system if it is blank, as large as the device is now.
    DiskError. Fine when it is mounted."""
    if not os.path.ismount(directory):
        _await(device)
        _format(device, file_system, config_dir / FORMATTING)
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        run("mount", "-t", _holds(device) or "auto", "-o", _OPTIONS, str(device), str(directory))
    try:
        grow(str(device), _holds(device) or "", directory)
    except DiskError as error:
        LOG.warning("the file system was not grown: %s", error)


def grow(device: str, file_system: str, directory: pathlib.Path) -> None:
    """Let the file system, which is mounted on the directory, use all of its device. DiskError."""
    match file_system:
        case "ext2" | "ext3" | "ext4":
            run("resize2fs", device)
        case "xfs":
            run("xfs_growfs", str(directory))
        case _:
            raise DiskError(f"A file system of type {file_system} can't be grown.")


def size(device: str) -> int:
    """Bytes of a block device."""
    descriptor = os.open(device, os.O_RDONLY)
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def run(program: str, *arguments: str) -> None:
    """DiskError when it is not installed or fails."""
    done = _run(program, *arguments)
    if done.returncode != 0:
        raise DiskError(f"{program}: {(done.stderr or done.stdout).strip()[-300:]}")


def _await(device: pathlib.Path) -> None:
    """The kernel may find it a moment after the machine has started."""
    deadline = time.monotonic() + APPEARS_WITHIN
    while not device.exists():
        if time.monotonic() > deadline:
            raise DiskError(f"The data volume {device} is not attached to this machine.")
        time.sleep(0.2)


def _format(device: pathlib.Path, file_system: str, mark: pathlib.Path) -> None:
    interrupted = mark.exists()
    if not interrupted and _holds(device) is not None:
        return
    LOG.info("making a file system (%s) on %s", file_system, device)
    mark.touch()
    _sync(mark.parent)
    force = {"xfs": ["-f"], "ext4": ["-F", "-q", "-m", "0"]}[file_system]
    run(f"mkfs.{file_system}", *(force if interrupted or file_system == "ext4" else []), str(device))
    os.sync()
    mark.unlink()
    _sync(mark.parent)


def _holds(device: pathlib.Path) -> str | None:
    """Its file system; None when it is blank. DiskError when it holds something else."""
    found = _run("blkid", "-p", "-o", "export", str(device))
    if found.returncode == _NOTHING_FOUND:
        return None
    values = dict(line.partition("=")[::2] for line in found.stdout.splitlines())
    if found.returncode != 0 or values.get("TYPE") not in ("xfs", "ext4"):
        raise DiskError(f"The data volume {device} holds something that is no data of a database; it is left alone.")
    return values["TYPE"]


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program, path=_PATH)
    if found is None:
        raise DiskError(f"The program {program} is not installed on this machine.")
    return subprocess.run([found, *arguments], capture_output=True, text=True, errors="replace", check=False)


def _sync(directory: pathlib.Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
