# SPDX-License-Identifier: Apache-2.0
"""Designate's central, API, worker, mDNS and producer."""

import devcloud.daemons.threads  # isort: skip  # noqa: F401

import sys

import designate.conf
from designate import utils
from designate.api import service as api
from designate.central import service as central
from designate.mdns import service as mdns
from designate.producer import service as producer
from designate.worker import service as worker
from oslo_config import cfg
from oslo_log import log
from oslo_service import service as launching

CONF = designate.conf.CONF
cfg.CONF.import_group("keystone_authtoken", "keystonemiddleware.auth_token")


def main() -> None:
    """Serve until SIGTERM."""
    utils.read_config("designate", sys.argv)
    log.setup(CONF, "designate")
    launcher = launching.ServiceLauncher(CONF, restart_method="mutate")
    for part in (central, worker, mdns, producer, api):
        launcher.launch_service(part.Service())
    launcher.wait()


if __name__ == "__main__":
    main()
