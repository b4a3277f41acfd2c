# SPDX-License-Identifier: Apache-2.0
"""Swift, as the control plane reaches it."""

from collections.abc import Mapping

from oslo_config import cfg

from dbflow import conf as options
from dbflow import objectstore
from dbflow.objectstore.base import ObjectStore


def of_swift(login: Mapping[str, object], **more: object) -> ObjectStore:
    """``login``: see tests.servers.swift; ``more``: options of ``[object_store]``."""
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[])
    for name, value in {**login, **more}.items():
        conf.set_override(name, value, "object_store")
    return objectstore.load(conf)
