# SPDX-License-Identifier: Apache-2.0
"""Cinder's API, scheduler and volume service."""

import devcloud.daemons.threads  # isort: skip  # noqa: F401

import sys
from collections.abc import Mapping
from typing import Any

import os_brick
from cinder import i18n

i18n.enable_lazy()

from cinder import context, coordination, objects, rpc, service, utils, version  # noqa: E402
from cinder.common import config, constants  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402
from oslo_privsep import priv_context  # noqa: E402
from oslo_service import service as launching  # noqa: E402

from devcloud.daemons import parts  # noqa: E402

CONF = cfg.CONF
CONF.register_cli_opt(cfg.StrOpt("backend_host"))
_from_dict = context.RequestContext.from_dict.__func__


def _with_read_deleted(cls: type, values: Mapping[str, Any]) -> Any:
    return _from_dict(cls, {**values, "read_deleted": values.get("read_deleted") or "no"})


# Debian's oslo.messaging makes a notification's context without read_deleted, which Cinder's refuses: with
# notifications on, every call about a volume would fail.
context.RequestContext.from_dict = classmethod(_with_read_deleted)


def main() -> None:
    """Serve until SIGTERM."""
    which = parts()
    objects.register_all()
    CONF(sys.argv[1:], project="cinder", version=version.version_string())
    config.set_middleware_defaults()
    log.setup(CONF, "cinder")
    priv_context.init(root_helper=["env"])
    utils.monkey_patch()
    os_brick.setup(CONF)
    coordination.COORDINATOR.start()
    rpc.init(CONF)
    launcher = launching.ServiceLauncher(CONF, restart_method="mutate")
    if "scheduler" in which:
        launcher.launch_service(service.Service.create(binary="cinder-scheduler"))
    if "volume" in which:
        for backend in CONF.enabled_backends:
            made = service.Service.create(
                host=f"{CONF.host}@{backend}", service_name=backend, binary=constants.VOLUME_BINARY, coordination=True
            )
            launcher.launch_service(made)
    if "api" in which:
        launcher.launch_service(service.WSGIService("osapi_volume"))
    launcher.wait()


if __name__ == "__main__":
    main()
