# SPDX-License-Identifier: Apache-2.0
"""One module an OpenStack project: its configuration, databases and processes."""

from devcloud.services.base import Service
from devcloud.services.cinder import Cinder
from devcloud.services.designate import Designate
from devcloud.services.glance import Glance
from devcloud.services.keystone import Keystone
from devcloud.services.neutron import Neutron
from devcloud.services.nova import Nova
from devcloud.services.placement import Placement
from devcloud.services.swift import Swift
from devcloud.settings import Settings

ALL: tuple[type[Service], ...] = (Keystone, Swift, Glance, Placement, Neutron, Cinder, Nova, Designate)
"""In the order in which they start."""


def chosen(settings: Settings) -> list[Service]:
    """Those of a cloud."""
    return [service(settings) for service in ALL if service.name in settings.services]


__all__ = ["ALL", "Service", "chosen"]
