# SPDX-License-Identifier: Apache-2.0
"""Changes that a request has begun, so that a request interrupted by the agent's death can be run again.

Making something that must not exist yet, or deleting something that must, can't simply be repeated: the second
run would stumble over what the first one did. So a change that has passed its checks leaves a file, named by the
request and the change; found by the same request again, it says: no checks, do what is still missing. The file
outlives the change, since the agent may die between the change and the journal's entry; another request, and a
call that no request made, never sees it.
"""

import contextlib
import contextvars
import hashlib
import json
import os
import pathlib
import time
from typing import Any

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="")
"""The request that runs in this thread; empty when there is none (a call from a tool, which nobody repeats)."""
KEPT = 86400.0
"""Seconds; a guest that comes back later than this begins anew."""


class Intents:
    """A directory of empty files, each named by a digest: there is nothing secret to read."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory

    def begun(self, change: str, *details: Any) -> bool:
        """Whether this request began this very change in an earlier life of the agent."""
        return bool(REQUEST.get()) and self._path(change, details).exists()

    def begin(self, change: str, *details: Any) -> None:
        """The checks are passed; on disk before anything is changed."""
        if not REQUEST.get():
            return
        self._forget_old()
        self._path(change, details).touch(mode=0o600)
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def undone(self, change: str, *details: Any) -> None:
        """The change failed and nothing is left of it."""
        self._path(change, details).unlink(missing_ok=True)

    def _path(self, change: str, details: tuple[Any, ...]) -> pathlib.Path:
        text = json.dumps([REQUEST.get(), change, *details])
        return self._directory / hashlib.sha256(text.encode()).hexdigest()

    def _forget_old(self) -> None:
        for path in self._directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > KEPT:
                    path.unlink()
