# SPDX-License-Identifier: Apache-2.0
"""Nova's flavors."""

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Json, Service


class NovaFlavors(base.Flavors):
    """Those that dbflow's project may use."""

    def __init__(self, compute: Service) -> None:
        self._compute = compute

    def list(self) -> list[base.Flavor]:
        """All flavors, by RAM."""
        found = self._compute.list("Flavors", "/flavors/detail", "flavors")
        return sorted(map(_flavor, found), key=lambda flavor: (flavor.ram, flavor.vcpus, flavor.id))

    def get(self, flavor_id: str) -> base.Flavor:
        """NotFound when there is none of that id."""
        return _flavor(self._compute.get(f"Flavor {flavor_id}", f"/flavors/{flavor_id}")["flavor"])


def _flavor(flavor: Json) -> base.Flavor:
    return base.Flavor(
        id=str(flavor["id"]),
        name=flavor["name"],
        ram=flavor["ram"],
        vcpus=flavor["vcpus"],
        disk=flavor["disk"],
        ephemeral=flavor.get("OS-FLV-EXT-DATA:ephemeral") or 0,
    )
