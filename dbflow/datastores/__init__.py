# SPDX-License-Identifier: Apache-2.0
"""The datastores that the control plane knows."""

import functools

from dbflow import plugins
from dbflow.datastores.base import Datastore, Feature, Strategy
from dbflow.datastores.invalid import Invalid

GROUP = "dbflow.datastores"

__all__ = ["GROUP", "Datastore", "Feature", "Invalid", "Strategy", "load", "managers"]


def managers() -> list[str]:
    """Names that ``load`` takes, sorted."""
    return sorted(plugins.of(GROUP).names)


@functools.cache
def load(manager: str) -> Datastore:
    """The plug-in of that manager. LookupError when none is installed."""
    for entry in plugins.of(GROUP).select(name=manager):
        plugin = entry.load()()
        if not isinstance(plugin, Datastore):
            raise TypeError(f"{entry.value} is not a {Datastore.__module__}.Datastore")
        return plugin
    raise LookupError(f"No datastore plug-in {manager!r} is installed.")
