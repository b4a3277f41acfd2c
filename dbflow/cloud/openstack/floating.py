# SPDX-License-Identifier: Apache-2.0
"""Floating addresses of public instances."""

from collections.abc import Callable

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.names import Names


class FloatingAddresses:
    """At most one an instance, found by its description."""

    def __init__(self, neutron: Service, names: Names, project_id: Callable[[], str], network: str | None) -> None:
        """``network``: the external one; None where there are none."""
        self._neutron, self._names, self._project_id, self._network = neutron, names, project_id, network

    def ensure(self, instance_id: str, port_id: str) -> str:
        """Create or find, and lead it to the port; the address."""
        named = f"Floating address of instance {instance_id}"
        if self._network is None:
            raise base.CloudError(f"{named}: this cloud has no public network")
        found = self._of(instance_id)
        if not found:
            guard.still_wanted()
            body = {
                "floating_network_id": self._network,
                "port_id": port_id,
                "description": self._names.of(instance_id),
            }
            found = [self._neutron.post(named, "/floatingips", {"floatingip": body})["floatingip"]]
        for extra in found[1:]:
            self._neutron.delete(named, f"/floatingips/{extra['id']}")
        if found[0]["port_id"] != port_id:
            self._neutron.put(named, f"/floatingips/{found[0]['id']}", {"floatingip": {"port_id": port_id}})
        return str(found[0]["floating_ip_address"])

    def delete(self, instance_id: str) -> None:
        """Fine when there is none."""
        for one in self._of(instance_id):
            self._neutron.delete(f"Floating address of instance {instance_id}", f"/floatingips/{one['id']}")

    def all(self) -> list[Json]:
        """Whatever is described as ours are."""
        return [one for one in self._list() if (one["description"] or "").startswith(self._names.prefix)]

    def _of(self, instance_id: str) -> list[Json]:
        """The one that leads somewhere first."""
        name = self._names.of(instance_id)
        found = [one for one in self._list(description=name) if one["description"] == name]
        return sorted(found, key=lambda one: (one["port_id"] is None, one["id"]))

    def _list(self, **query: str) -> list[Json]:
        query["project_id"] = self._project_id()
        return list(self._neutron.list("Floating addresses", "/floatingips", "floatingips", query))
