# SPDX-License-Identifier: Apache-2.0
"""The types of modules that this guest can apply."""

import functools
import importlib.metadata

from guest.datastores.base import Unsupported
from guest.modules.base import ModuleType

GROUP = "dbflow.guest.modules"

__all__ = ["GROUP", "ModuleType", "load"]


@functools.cache
def load(name: str) -> ModuleType:
    """The type of that name. Unsupported when this guest's image has none."""
    for entry in importlib.metadata.entry_points(group=GROUP, name=name):
        plugin = entry.load()()
        if not isinstance(plugin, ModuleType):
            raise TypeError(f"{entry.value} is not a {ModuleType.__module__}.ModuleType")
        return plugin
    raise Unsupported(f"This guest has no modules of the type {name}.")
