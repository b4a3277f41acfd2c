# SPDX-License-Identifier: Apache-2.0
"""Objects as files: ``<root>/<container>/<name>``, each quoted, an object there whole or not at all."""

import contextlib
import os
import pathlib
import secrets
import time
from collections.abc import Iterator
from urllib.parse import quote, unquote

from dbflow.objectstore.base import NoSuchObject, must_be_container, must_be_names

_KEY, _PARTS = ".key", ".parts"
_PART_FOR = 3600.0
"""Seconds after which nobody writes to a part any more."""


class Directory:
    """What the driver and the server of its URLs share."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = pathlib.Path(root).absolute()

    def key(self) -> bytes:
        """With which URLs are signed; made on the first use."""
        path = self.root / _KEY
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{_KEY}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            os.fsync(file.fileno())
        # Whoever comes second has that of the first.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
        return path.read_bytes()

    def container(self, container: str) -> pathlib.Path:
        """Its directory. StoreError for a name that can't be one."""
        must_be_container(container)
        return self.root / quote(container, safe="")

    def file(self, container: str, name: str) -> pathlib.Path:
        """An object's. StoreError for a name that can't be one."""
        must_be_names(container, name)
        return self.container(container).joinpath(*(quote(part, safe="") for part in name.split("/")))

    def part(self) -> pathlib.Path:
        """A new file to write an object to, before it is one."""
        parts = self.root / _PARTS
        parts.mkdir(mode=0o700, exist_ok=True)
        return parts / secrets.token_hex(16)

    def forget_parts(self) -> None:
        """Remove what a server left half written that was killed."""
        for part in (self.root / _PARTS).glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _PART_FOR:
                    part.unlink()

    def read(self, container: str, name: str) -> bytes:
        """NoSuchObject when there is none."""
        try:
            return self.file(container, name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NoSuchObject(f"Object {name} is not in container {container}.") from None

    def sizes(self, container: str, prefix: str) -> Iterator[tuple[str, int]]:
        """(name, bytes) of the objects below the prefix, by name."""
        top = self.container(container)
        above = top.joinpath(*(quote(part, safe="") for part in prefix.split("/")[:-1]))
        found = []
        for directory, _, files in os.walk(above):
            for file in files:
                path = pathlib.Path(directory, file)
                name = "/".join(unquote(part) for part in path.relative_to(top).parts)
                if name.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((name, path.stat().st_size))
        yield from sorted(found)

    def delete(self, container: str, name: str) -> None:
        """And the directories that are empty without it, but not the container."""
        path, top = self.file(container, name), self.container(container)
        path.unlink(missing_ok=True)
        for above in path.parents:
            if above == top:
                return
            try:
                above.rmdir()
            except OSError:
                return
