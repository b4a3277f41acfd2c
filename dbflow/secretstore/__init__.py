# SPDX-License-Identifier: Apache-2.0
"""Where owners keep certificates with their private keys, for their servers: dbflow reads them there when it is told
to, and keeps no copy."""

import importlib.metadata
from typing import cast

from oslo_config import cfg

from dbflow.secretstore.base import NoSuchSecret, SecretError, SecretStore, StoreUnavailable

ENTRY_POINTS = "dbflow.secretstores"

__all__ = ["ENTRY_POINTS", "NoSuchSecret", "SecretError", "SecretStore", "StoreUnavailable", "load"]


def load(conf: cfg.ConfigOpts) -> SecretStore:
    """The driver that ``[secret_store] driver`` names; connects to nothing yet. SecretError when there is none."""
    drivers = importlib.metadata.entry_points(group=ENTRY_POINTS)
    name = conf.secret_store.driver
    if name not in drivers.names:
        known = ", ".join(sorted(drivers.names)) or "none"
        raise SecretError(f"[secret_store] driver: there is no secret store driver {name!r}; installed: {known}")
    return cast(SecretStore, drivers[name].load()(conf))
