# SPDX-License-Identifier: Apache-2.0
"""Links that are cut in the middle of operations: one of each kind here, all by ``python -m tests.fault cut``."""

import argparse
import itertools

import pytest

from tests.fault.cut import command
from tests.fault.cut.case import LINKS, MIDDLES


@pytest.mark.parametrize(
    ("operation", "link"), zip(["instance.promote", "backup.create", "instance.create"], LINKS, strict=True)
)
def test_cut_for_some_seconds(operation: str, link: str) -> None:
    found = command.run(argparse.Namespace(operation=operation, link=link, seconds=[6.0]))
    assert found.violations == []
    assert found.tried == found.passed == 1


@pytest.mark.sweep
@pytest.mark.parametrize(("operation", "link"), itertools.product(MIDDLES, LINKS))
def test_cut_for_long(operation: str, link: str) -> None:
    found = command.run(argparse.Namespace(operation=operation, link=link, seconds=[5.0, 20.0, 60.0]))
    assert found.violations == []
    assert found.tried == found.passed == 3
