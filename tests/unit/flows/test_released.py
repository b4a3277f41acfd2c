# SPDX-License-Identifier: Apache-2.0
"""The graph of a released version never changes."""

import json
import pathlib

import pytest

from flows.registry import REGISTRY
from tests.fixtures.flows.cases import GRAPHS, released
from tests.fixtures.flows.contract import contract

KEPT = sorted(GRAPHS.glob("*.json"))


@pytest.mark.parametrize(("kind", "version"), released())
def test_every_version_is_kept(kind: str, version: int) -> None:
    """Written down by ``python -m tests.fixtures.flows`` when it was made."""
    assert f"{kind}-{version}.json" in [path.name for path in KEPT]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_the_graph_of_a_version_does_not_change(path: pathlib.Path) -> None:
    kept = json.loads(path.read_text())
    definition = REGISTRY.definition(kept["kind"], kept["version"])
    assert contract(definition) == kept, (
        f"the graph of {kept['kind']} version {kept['version']} has changed. Operations that were accepted with it are "
        "resumed by it: leave it as it was, and register the change as another version, with "
        f"@operation({kept['kind']!r}, version={kept['version'] + 1}, …)"
    )
