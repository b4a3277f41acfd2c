# SPDX-License-Identifier: Apache-2.0
"""The data volume as a block device: a file system is made on it once, and it is mounted at every start.

A device that holds anything at all, or that can't be read, is never formatted. Nor is one that looks blank, unless this
machine was told that the volume is new, and has never used it: where a file system says what it is may be damaged, with
all the rest as it was. Two files on the machine's own disk tell what it knows:

* one has the id of the file system that the volume holds, from before it is first mounted on. A volume without just
  that one is left alone;
* one has the id of the file system that is being made, from before the first byte until after the last. What is found
  of that one, which was never mounted, is made anew.
"""

import contextlib
import datetime
import fcntl
import logging
import os
import pathlib
import shutil
import subprocess
import uuid
from collections.abc import Iterator

LOG = logging.getLogger(__name__)
HELD = "filesystem-id"
FORMATTING = "formatting"
"""Names of these files, in the guest's configuration directory."""
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_OPTIONS = "noatime,nodev,nosuid,noexec"
_NOTHING_FOUND = 2
"""What blkid ends with."""
_START = 1 << 20
_MAGIC = ((0, b"XFSB"), (0x438, b"\x53\xef"))
"""Where a file system says what it is, and how."""


class DiskError(Exception):
    """The volume is not there, or can't be used. ``str()`` says what to do."""


def bring(
    device: pathlib.Path,
    directory: pathlib.Path,
    file_system: str,
    config_dir: pathlib.Path,
    blank_until: datetime.datetime | None,
) -> None:
    """Mount the device on the directory, as large as it is now. DiskError. Fine when it is mounted.

    Until ``blank_until`` the volume may be new: blank, it gets a file system. None: it is not."""
    with _alone(config_dir) as lock:
        if not os.path.ismount(directory):
            held = _prepare(device, file_system, config_dir, blank_until, lock)
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
            run("mount", "-t", held, "-o", _OPTIONS, str(device), str(directory), lock=lock)
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


def run(program: str, *arguments: str, lock: int | None = None) -> None:
    """DiskError when it is not installed or fails. It has the lock as long as it runs, also when we are gone."""
    done = _run(program, *arguments, lock=lock)
    if done.returncode != 0:
        raise DiskError(f"{program}: {(done.stderr or done.stdout).strip()[-300:]}")


@contextlib.contextmanager
def _alone(config_dir: pathlib.Path) -> Iterator[int]:
    """A lock, which programs that are given it keep: what an agent that was killed has left running ends first."""
    lock = os.open(config_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            LOG.warning("waiting until what an earlier agent began with the data volume has ended")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _prepare(
    device: pathlib.Path,
    file_system: str,
    config_dir: pathlib.Path,
    blank_until: datetime.datetime | None,
    lock: int,
) -> str:
    """See that it holds the file system that it held, or a new one if it never held any. What type that is."""
    held, mark = config_dir / HELD, config_dir / FORMATTING
    known, begun = _read(held), _read(mark)
    found = _look(device)
    if known is not None:
        found = _expected(device, found, known, held)
    elif found is None or (begun is not None and found.get("UUID") == begun):
        if begun is None and (blank_until is None or blank_until < datetime.datetime.now(datetime.UTC)):
            raise DiskError(
                f"The data volume {device} looks blank, but this machine was not told that it is new: "
                "it may be damaged, and is left alone. Repair it."
            )
        _write(held, _format(device, file_system, mark, begun, lock))
        found = {"TYPE": file_system}
    elif "UUID" in found:
        _write(held, found["UUID"])
    else:
        raise DiskError(f"The data volume {device} holds a file system without an id; it is left alone.")
    mark.unlink(missing_ok=True)
    return found["TYPE"]


def _expected(device: pathlib.Path, found: dict[str, str] | None, known: str, held: pathlib.Path) -> dict[str, str]:
    """What was found. DiskError unless it is the file system that is known."""
    if found is None:
        raise DiskError(
            f"The data volume {device} looks blank, but held the file system {known}; it is left alone. Repair it."
        )
    if found.get("UUID") != known:
        raise DiskError(
            f"The data volume {device} holds the file system {found.get('UUID', 'without an id')}, but held {known}; "
            f"it is left alone. If it is the right one, remove {held}."
        )
    return found


def _format(device: pathlib.Path, file_system: str, mark: pathlib.Path, begun: str | None, lock: int) -> str:
    """Make a file system, or once more the one that was ``begun``; the mark has its id meanwhile, which is returned."""
    LOG.info("making a file system (%s) on %s", file_system, device)
    made = begun or str(uuid.uuid4())
    _write(mark, made)
    # Discarding a large volume takes minutes; a new one holds nothing.
    options = {
        "xfs": ["-K", "-m", f"uuid={made}", *(["-f"] if begun else [])],
        "ext4": ["-F", "-q", "-m", "0", "-E", "nodiscard", "-U", made],
    }
    run(f"mkfs.{file_system}", *options[file_system], str(device), lock=lock)
    os.sync()
    return made


def _read(path: pathlib.Path) -> str | None:
    """None when there is nothing."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None


def _write(path: pathlib.Path, text: str) -> None:
    """Whole or not at all; it is there when this returns, whatever becomes of the machine."""
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{text}\n")
    _sync(fresh)
    fresh.replace(path)
    _sync(path.parent)


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


def _run(program: str, *arguments: str, lock: int | None = None) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program, path=_PATH)
    if found is None:
        raise DiskError(f"The program {program} is not installed on this machine.")
    kept = () if lock is None else (lock,)
    return subprocess.run(
        [found, *arguments], capture_output=True, text=True, errors="replace", check=False, pass_fds=kept
    )


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
