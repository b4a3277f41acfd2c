# SPDX-License-Identifier: Apache-2.0
"""The types of modules that the control plane knows."""

import functools
import importlib.metadata

from dbflow.modules.base import ModuleType

GROUP = "dbflow.modules"

__all__ = ["GROUP", "ModuleType", "load", "names"]


def names() -> list[str]:
    """Names that ``load`` takes, sorted."""
    return sorted(entry.name for entry in importlib.metadata.entry_points(group=GROUP))


@functools.cache
def load(name: str) -> ModuleType:
    """The type of that name. LookupError when none is installed."""
    for entry in importlib.metadata.entry_points(group=GROUP, name=name):
        plugin = entry.load()()
        if not isinstance(plugin, ModuleType):
            raise TypeError(f"{entry.value} is not a {ModuleType.__module__}.ModuleType")
        return plugin
    raise LookupError(f"No module type {name!r} is installed.")
