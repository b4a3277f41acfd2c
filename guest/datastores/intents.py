# SPDX-License-Identifier: Apache-2.0
"""Changes that have begun, so that one interrupted in its middle can be run again.

Making something that must not exist yet, or deleting something that must, can't simply be repeated: the second
run would stumble over what the first one did. So a change that has passed its checks says so in a file first;
found there again, it skips the checks and only does what is still missing.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any


class Intents:
    """A directory with one empty file for each change that is under way (its name is a digest; no secrets)."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory

    def interrupted(self, change: str, *details: Any) -> bool:
        """Whether this very change began and did not come to an end."""
        return self._path(change, details).exists()

    @contextlib.contextmanager
    def begin(self, change: str, *details: Any) -> Iterator[None]:
        """Around the change itself; it ends with success or with an exception, or is interrupted."""
        path = self._path(change, details)
        path.touch(mode=0o600)
        self._sync()
        try:
            yield
        finally:
            path.unlink()

    def _path(self, change: str, details: tuple[Any, ...]) -> pathlib.Path:
        digest = hashlib.sha256(json.dumps([change, *details]).encode()).hexdigest()
        return self._directory / digest

    def _sync(self) -> None:
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
