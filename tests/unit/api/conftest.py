# SPDX-License-Identifier: Apache-2.0
"""A world for each test."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.unit.api.world import World


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    """An API on an empty database."""
    made = World(tmp_path)
    yield made
    made.database.close()
