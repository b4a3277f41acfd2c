# SPDX-License-Identifier: Apache-2.0
"""Small files that are either there whole or not at all, and errors that name what failed."""

import contextlib
import errno
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from dbflow.cloud.base import CloudError, OutOfCapacity

_UNFINISHED = ".new"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})


@contextlib.contextmanager
def naming(resource: str) -> Iterator[None]:
    """Turn an OSError of the block into a CloudError that names the resource."""
    try:
        yield
    except OSError as error:
        kind = OutOfCapacity if error.errno in _FULL else CloudError
        where = f" ({error.filename})" if error.filename else ""
        raise kind(f"{resource}: {error.strerror or error}{where}") from error


def write(path: pathlib.Path, text: str, mode: int = 0o600) -> None:
    """Replace the file in one step; after this returns it survives a power failure.

    Not for two writers of one directory at once: the caller holds the lock of what the directory is for.
    """
    new = _write_beside(path, text, mode)
    new.rename(path)
    _sync_directory(path.parent)


def write_new(path: pathlib.Path, text: str) -> bool:
    """Make the file with its whole contents, in one step; False when it exists already. Same rule for writers."""
    new = _write_beside(path, text, 0o600)
    try:
        path.hardlink_to(new)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    _sync_directory(path.parent)
    return True


def move(path: pathlib.Path, target: pathlib.Path) -> None:
    """Give it that name in one step; after this returns it survives a power failure."""
    path.rename(target)
    for directory in {path.parent, target.parent}:
        _sync_directory(directory)


def write_json(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    """:func:`write` of a JSON object."""
    write(path, json.dumps(value, indent=1))


def read_json(path: pathlib.Path) -> dict[str, Any] | None:
    """The JSON object, or None when there is no such file."""
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise CloudError(f"{path} is damaged: {error}") from error
    return value


def discard_unfinished(directory: pathlib.Path) -> None:
    """Remove what a killed writer may have left in it."""
    (directory / _UNFINISHED).unlink(missing_ok=True)


def names(directory: pathlib.Path) -> list[str]:
    """Sorted names in it, without hidden ones; none when there is no such directory."""
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileNotFoundError:
        return []


def remove_tree(path: pathlib.Path, timeout: float = 5.0) -> None:
    """Remove the directory with all in it; fine when it is not there.

    A process that is just ending may still write a file into it: tried again until ``timeout`` (seconds).
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            if not path.exists():
                return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.01)


def _write_beside(path: pathlib.Path, text: str, mode: int) -> pathlib.Path:
    new = path.with_name(_UNFINISHED)
    # Left by a killed writer it may be a second name of a file that is in use: never written to, only removed.
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return new


def _sync_directory(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
