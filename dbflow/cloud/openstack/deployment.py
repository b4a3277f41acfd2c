# SPDX-License-Identifier: Apache-2.0
"""What the configuration names, beside what the cloud has."""

import urllib.parse
from collections.abc import Callable, Iterator

from oslo_config import cfg

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Service


class Deployment:
    """``options``: the group ``[openstack]``."""

    def __init__(
        self,
        options: cfg.ConfigOpts.GroupAttr,
        network: Service,
        volume_types: Callable[[], list[str]],
        zones: Callable[[], set[str]],
        dns_zone_lost: Callable[[], bool],
    ) -> None:
        self._options, self._network = options, network
        self._volume_types, self._zones, self._dns_zone_lost = volume_types, zones, dns_zone_lost

    def missing(self) -> Iterator[str]:
        """See :meth:`dbflow.cloud.base.Cloud.missing`."""
        options = self._options
        networks = [("networks", one) for one in options.networks]
        networks += [(name, options[name]) for name in ("management_network", "public_network") if options[name]]
        groups = [("management_security_groups", one) for one in options.management_security_groups]
        for path, found in (("networks", networks), ("security-groups", groups)):
            for name, resource_id in found:
                if not self._has(path, resource_id):
                    yield f"{name}: {resource_id}"
        if options.volume_type and options.volume_type not in self._volume_types():
            yield f"volume_type: {options.volume_type}"
        if options.availability_zone and options.availability_zone not in self._zones():
            yield f"availability_zone: {options.availability_zone}"
        if self._dns_zone_lost():
            yield f"dns_zone: {options.dns_zone}"

    def _has(self, path: str, resource_id: str) -> bool:
        try:
            self._network.get(resource_id, f"/{path}/{urllib.parse.quote(resource_id, safe='')}")
        except base.NotFound:
            return False
        return True
