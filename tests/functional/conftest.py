# SPDX-License-Identifier: Apache-2.0
"""Whole stacks."""

import pytest

from tests.functional.stack.fixtures import embedded_stack, images, pytest_runtest_makereport, real_stack, stack

__all__ = ["embedded_stack", "images", "pytest_runtest_makereport", "real_stack", "stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests (``--dist loadgroup``): one has a set of parts and all of its tests, so
    that each stack is started once; tests that start their own servers stay together by file."""
    for item in items:
        params = getattr(item, "callspec", None)
        fixtures = getattr(item, "fixturenames", ())
        wanted = params.params.get("stack") if params is not None else None
        group = wanted or next((name for name in ("real", "embedded") if f"{name}_stack" in fixtures), item.path.name)
        item.add_marker(pytest.mark.xdist_group(group))
