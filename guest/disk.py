# SPDX-License-Identifier: Apache-2.0
"""The data volume as a block device: a file system is made on it once, and it is mounted at every start.

A device that holds anything at all, or that can't be read, is never formatted. One whose formatting was interrupted
looks as if it held something; a file on the machine's own disk, which is there from before the first byte until after
the last and has the new file system's id, tells the two apart.
"""

import logging
import os
import pathlib
import shutil
import subprocess
import time
import uuid

LOG = logging.getLogger(__name__)
FORMATTING = "formatting"
"""Name of that file, in the guest's configuration directory."""
APPEARS_WITHIN = 60.0
"""Seconds."""
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_OPTIONS = "noatime,nodev,nosuid,noexec"
_NOTHING_FOUND = 2
"""What blkid ends with."""
_START = 1 << 20
_MAGIC = ((0, b"XFSB"), (0x438, b"\x53\xef"))
"""Where a file system says what it is, and how."""


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
    """Unless it holds one. The mark has the id of the file system that is being made: nothing but that one, which was
    never mounted, is made anew."""
    begun = _begun(mark)
    found = _look(device)
    if found is not None and found.get("UUID") != begun:
        mark.unlink(missing_ok=True)
        return
    LOG.info("making a file system (%s) on %s", file_system, device)
    made = begun or str(uuid.uuid4())
    mark.write_text(made)
    _sync(mark)
    _sync(mark.parent)
    # Discarding a large volume takes minutes; a new one holds nothing.
    options = {
        "xfs": ["-K", "-m", f"uuid={made}", *(["-f"] if begun else [])],
        "ext4": ["-F", "-q", "-m", "0", "-E", "nodiscard", "-U", made],
    }
    run(f"mkfs.{file_system}", *options[file_system], str(device))
    os.sync()
    mark.unlink()
    _sync(mark.parent)


def _begun(mark: pathlib.Path) -> str | None:
    """The id of the file system whose making was interrupted."""
    try:
        return mark.read_text() or None
    except FileNotFoundError:
        return None


def _holds(device: pathlib.Path) -> str | None:
    """Its file system; None when it is blank. DiskError when it holds something else."""
    found = _look(device)
    return None if found is None else found["TYPE"]


def _look(device: pathlib.Path) -> dict[str, str] | None:
    """What blkid says of its file system; None when it is blank. DiskError when it holds something else, or can't be
    read: blkid ends alike for that and for blank, so nothing is believed to be blank before it was read here, too."""
    found = _run("blkid", "-p", "-o", "export", str(device))
    if found.returncode == _NOTHING_FOUND and _is_read_as_none(device):
        return None
    values = dict(line.partition("=")[::2] for line in found.stdout.splitlines())
    if found.returncode == _NOTHING_FOUND:
        raise DiskError(f"The data volume {device} can't be read reliably; it is left alone.")
    if found.returncode != 0 or values.get("TYPE") not in ("xfs", "ext4"):
        raise DiskError(f"The data volume {device} holds something that is no data of a database; it is left alone.")
    return values


def _is_read_as_none(device: pathlib.Path) -> bool:
    """Whether it begins as neither an XFS nor an ext4 does. DiskError when it can't be read."""
    try:
        with device.open("rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise DiskError(f"The data volume {device} can't be read: {error.strerror}.") from error
    if len(start) < _START:
        raise DiskError(f"The data volume {device} can't be read whole.")
    return not any(start[at : at + len(magic)] == magic for at, magic in _MAGIC)


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
