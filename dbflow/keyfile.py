# SPDX-License-Identifier: Apache-2.0
"""The file of the keys that seal secrets at rest: one a line, newest first, replaced as a whole and never edited.

The first key seals, every key unseals. A line that begins with ``+`` is a staged key: it is on its way to every
machine, and seals from the next rotation on.
"""

import contextlib
import fcntl
import os
import pathlib
import stat
from collections.abc import Iterator

from cryptography.fernet import Fernet

STAGED = "+"


class KeyFileChanged(Exception):
    """The file is not the one that was looked at."""


class KeyFile:
    """Never shows a key."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path)

    def create(self) -> None:
        """Write a new file with one key, mode 0600; FileExistsError when there is one."""
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _write(fd, [_new_key()])

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for whoever changes the file, and keep others of this machine from it: stage, rotate and prune hold it
        from their first look to their end. The lock is on the directory, for the file itself is replaced, and a lock
        file would belong to whoever came first."""
        fd = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def keys(self) -> list[bytes]:
        """Url-safe base64, in the order of their use. PermissionError when others may read the file."""
        lines = self._lines()
        return [line.removeprefix(STAGED).encode() for line in [*_in_use(lines), *_staged(lines)]]

    def stamp(self) -> tuple[int, ...]:
        """Another one after the file was replaced."""
        status = self.path.stat()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def stage(self) -> None:
        """Add a key that does not seal yet; none when one is staged already."""
        lines = self._lines()
        if not _staged(lines):
            self._replace([*lines, STAGED + _new_key()])

    def rotate(self) -> bool:
        """Put the staged key first, or a new one. False, and nothing changed, when an earlier rotation has not been
        pruned: with several keys in use the first one is the newest."""
        lines = self._lines()
        used, staged = _in_use(lines), _staged(lines)
        if len(used) > 1 and not staged:
            return False
        fresh = [line.removeprefix(STAGED) for line in staged] or [_new_key()]
        self._replace([*fresh, *used])
        return True

    def prune(self, stamp: tuple[int, ...]) -> int:
        """Keep the key that seals, and staged ones; how many others there were. KeyFileChanged, and nothing dropped,
        when the file is another one than that of the ``stamp``, whose keys were found not to be needed."""
        lines = self._lines()
        if self.stamp() != stamp:
            raise KeyFileChanged(f"{self.path} was replaced meanwhile")
        used = _in_use(lines)
        if len(used) > 1:
            self._replace([used[0], *_staged(lines)])
        return len(used) - 1

    def _lines(self) -> list[str]:
        if self.path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PermissionError(f"{self.path} holds keys and must be readable by its owner only (mode 0600)")
        return self.path.read_text().split()

    def _replace(self, lines: list[str]) -> None:
        """Whoever reads meanwhile sees the old file or the new one, whole."""
        status = self.path.stat()
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(fd, status.st_uid, status.st_gid)
        _write(fd, lines)
        fresh.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _new_key() -> str:
    return Fernet.generate_key().decode()


def _in_use(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith(STAGED)]


def _staged(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(STAGED)]


def _write(fd: int, lines: list[str]) -> None:
    with os.fdopen(fd, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
