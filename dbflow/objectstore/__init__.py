# SPDX-License-Identifier: Apache-2.0
"""Where backups are kept: containers of objects, which guests reach through pre-signed URLs."""

from typing import cast

from oslo_config import cfg

from dbflow import plugins
from dbflow.objectstore.base import Grant, ObjectStore, StoreError

ENTRY_POINTS = "dbflow.objectstores"

__all__ = ["ENTRY_POINTS", "Grant", "ObjectStore", "StoreError", "load"]


def load(conf: cfg.ConfigOpts) -> ObjectStore:
    """The driver that ``[object_store] driver`` names; connects to nothing yet. StoreError when there is none."""
    drivers = plugins.of(ENTRY_POINTS)
    name = conf.object_store.driver
    if name not in drivers.names:
        known = ", ".join(sorted(drivers.names)) or "none"
        raise StoreError(f"[object_store] driver: there is no object store driver {name!r}; installed: {known}")
    return cast(ObjectStore, drivers[name].load()(conf))
