# SPDX-License-Identifier: Apache-2.0
"""What is installed to choose from: entry points, which are read once, for it takes 50 ms of processor each time."""

import functools
import importlib.metadata


@functools.cache
def of(group: str) -> importlib.metadata.EntryPoints:
    """The entry points of a group, such as ``dbflow.clouds``."""
    return importlib.metadata.entry_points(group=group)
