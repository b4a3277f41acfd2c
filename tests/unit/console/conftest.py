# SPDX-License-Identifier: Apache-2.0
"""A scene for each test that changes something, and one for all others."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.unit.console.scene import Scene


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Iterator[Scene]:
    """A world in which much is going on."""
    made = Scene(tmp_path)
    yield made
    made.world.database.close()


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene that no test changes: to make one takes longer than most tests."""
    made = Scene(tmp_path_factory.mktemp("still"))
    yield made
    made.world.database.close()
