# SPDX-License-Identifier: Apache-2.0
"""Options of every dbflow service, one module a group, all read through oslo.config."""

import copy
import importlib
import pkgutil

from oslo_config import cfg

CONF = cfg.CONF


def _groups() -> list[tuple[cfg.OptGroup | None, list[cfg.Opt]]]:
    """(group, options) of each module of this package; a module declares GROUP and OPTS."""
    found = []
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found.append((module.GROUP, module.OPTS))
    return found


def register(conf: cfg.ConfigOpts = CONF) -> cfg.ConfigOpts:
    """Register every group on ``conf`` (idempotent) and return it."""
    for group, options in _groups():
        if group is not None:
            # A group keeps the values too: two configurations of one process must not share it.
            conf.register_group(copy.deepcopy(group))
        conf.register_opts(options, group=group)
    return conf


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """What the sample configuration is generated from."""
    return [(group.name if group else "DEFAULT", options) for group, options in _groups()]
