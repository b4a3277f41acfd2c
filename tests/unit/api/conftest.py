# SPDX-License-Identifier: Apache-2.0
"""A world for each test."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.unit.api.forms import watch
from tests.unit.api.world import World


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    """An API on an empty database. Whatever JSON a test sends and gets, XML can carry as well."""
    made = World(tmp_path)
    lost = watch(made.app)
    yield made
    made.database.close()
    assert lost == []


@pytest.fixture
def impatient(world: World) -> None:
    """Nobody waits long for an operation in a request."""
    world.conf.set_override("max_wait", 0.05, "api")
