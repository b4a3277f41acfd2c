# SPDX-License-Identifier: Apache-2.0
"""What is installed to choose from: entry points, which are read once, for it takes 50 ms of processor each time."""

import functools
import importlib.metadata
from typing import cast


@functools.cache
def _installed() -> importlib.metadata.EntryPoints:
    # Python 3.11 calls it by another class's name, which has the same select().
    return cast(importlib.metadata.EntryPoints, importlib.metadata.entry_points())


def of(group: str) -> importlib.metadata.EntryPoints:
    """The entry points of a group, such as ``dbflow.clouds``."""
    return _installed().select(group=group)
