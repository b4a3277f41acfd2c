# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every kind of test may use."""

import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.servers.fixtures"]


@pytest.fixture
def open_tmp() -> Iterator[pathlib.Path]:
    """A directory that other users may enter: a database server started by root runs as somebody else."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="dbflow-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
