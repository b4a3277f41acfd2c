# SPDX-License-Identifier: Apache-2.0
"""Directories that other users may enter (mariadbd is not root when we are) and that are gone afterwards."""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def directory(name: str) -> Iterator[pathlib.Path]:
    """An empty one."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"dbflow-bench-{name}-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
