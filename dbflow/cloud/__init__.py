# SPDX-License-Identifier: Apache-2.0
"""Where the databases run: compute, storage, network and images behind one set of interfaces."""

from typing import cast

from oslo_config import cfg

from dbflow import plugins
from dbflow.cloud.base import Cloud, CloudError

ENTRY_POINTS = "dbflow.clouds"


def load(conf: cfg.ConfigOpts) -> Cloud:
    """The driver that ``[cloud] driver`` names. CloudError when there is none of that name."""
    drivers = plugins.of(ENTRY_POINTS)
    name = conf.cloud.driver
    if name not in drivers.names:
        known = ", ".join(sorted(drivers.names)) or "none"
        raise CloudError(f"[cloud] driver: there is no cloud driver {name!r}; installed: {known}")
    return cast(Cloud, drivers[name].load()(conf))
