# SPDX-License-Identifier: Apache-2.0
"""Whole stacks."""

import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.functional.stack.fixtures import embedded_stack, images, pytest_runtest_makereport, real_stack, stack

__all__ = ["embedded_stack", "images", "pytest_runtest_makereport", "real_stack", "stack"]

_LONGEST = "test_stored_flows.py"


class _ByParts(LoadScopeScheduling):  # type: ignore[misc]
    """Where several processes share the tests, each set of parts has one of them, so that it is started once; tests
    with servers of their own stay together by file."""

    def _split_scope(self, nodeid: str) -> str:
        parts = re.search(r"\[(embedded|real)\b", nodeid)
        return parts.group(1) if parts else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByParts:
    """Whatever ``--dist`` says."""
    config.option.loadscopereorder = False
    return _ByParts(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first: at the end, the other processes would wait for it."""
    items.sort(key=lambda item: _LONGEST not in item.nodeid)
