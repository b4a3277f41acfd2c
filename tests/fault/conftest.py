# SPDX-License-Identifier: Apache-2.0
"""Whole stacks whose parts are killed, stopped and started again."""

from tests.functional.stack.fixtures import embedded_stack, images, pytest_runtest_makereport, real_stack, stack

__all__ = ["embedded_stack", "images", "pytest_runtest_makereport", "real_stack", "stack"]
