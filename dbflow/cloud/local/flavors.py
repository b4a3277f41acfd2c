# SPDX-License-Identifier: Apache-2.0
"""Sizes on offer, from the configuration."""

from collections.abc import Sequence

from dbflow.cloud import base


class LocalFlavors(base.Flavors):
    """Of items ``id:name:ram:vcpus[:disk]``, whose form oslo.config has checked."""

    def __init__(self, items: Sequence[str]) -> None:
        flavors = sorted((_parse(item) for item in items), key=lambda flavor: (flavor.ram, flavor.id))
        self._flavors = {flavor.id: flavor for flavor in flavors}
        if len(self._flavors) != len(flavors):
            raise base.CloudError("[local_cloud] flavors: two of them have the same id")

    def list(self) -> list[base.Flavor]:
        """All flavors, by RAM."""
        return list(self._flavors.values())

    def get(self, flavor_id: str) -> base.Flavor:
        """NotFound when there is none of that id."""
        try:
            return self._flavors[flavor_id]
        except KeyError:
            raise base.NotFound(f"Flavor {flavor_id} cannot be found.") from None


def _parse(item: str) -> base.Flavor:
    flavor_id, name, ram, vcpus, *disk = item.split(":")
    return base.Flavor(id=flavor_id, name=name, ram=int(ram), vcpus=int(vcpus), disk=int(disk[0]) if disk else 0)
