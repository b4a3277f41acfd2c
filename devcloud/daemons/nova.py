# SPDX-License-Identifier: Apache-2.0
"""Nova's conductor, scheduler, compute and APIs."""

import nova.monkey_patch  # isort: skip

import shlex
import sys

import nova.conf
import os_vif
from nova import config, objects, service, utils
from nova.conductor import rpcapi
from nova.db.main import api as database
from nova.objects import base
from oslo_log import log
from oslo_privsep import priv_context
from oslo_service import service as launching

from devcloud.daemons import parts
from devcloud.guests import driver

CONF = nova.conf.CONF


def main() -> None:
    """Serve until SIGTERM."""
    which = parts()
    # Nova looks for drivers below nova.virt only.
    sys.modules["nova.virt.devcloud"] = driver
    config.parse_args(sys.argv)
    log.setup(CONF, "nova")
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    objects.register_all()
    os_vif.initialize()
    if which == ["compute"]:
        # As upstream, where a compute host has no database.
        database.DISABLE_DB_ACCESS = True
        base.NovaObject.indirection_api = rpcapi.ConductorAPI()
    objects.Service.enable_min_version_cache()
    launcher = launching.ServiceLauncher(CONF, restart_method="mutate")
    for part in ("conductor", "scheduler", "compute"):
        if part in which:
            launcher.launch_service(service.Service.create(binary=f"nova-{part}", topic=part))
    if "api" in which:
        for api in CONF.enabled_apis:
            launcher.launch_service(service.WSGIService(api))
    launcher.wait()


if __name__ == "__main__":
    main()
