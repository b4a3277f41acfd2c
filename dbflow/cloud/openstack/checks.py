# SPDX-License-Identifier: Apache-2.0
"""Wishes that can't be granted, found before anything is made."""

import ipaddress
from collections.abc import Callable, Mapping

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Json, Service

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Checks:
    """What of a request only the cloud can judge."""

    def __init__(
        self,
        compute: Service,
        neutron: Service,
        volume_types: Callable[[], list[str]],
        *,
        default_network: str | None,
        management_network: str | None,
        public_network: str | None,
    ) -> None:
        self._compute, self._neutron, self._volume_types = compute, neutron, volume_types
        self._default_network, self._public_network = default_network, public_network
        self._management_network = management_network

    def check(self, wish: base.Wish) -> None:
        """Unsuitable, naming the field."""
        if wish.access.get("is_public") and self._public_network is None:
            raise base.Unsuitable("This cloud gives no public addresses.", "access.is_public")
        if wish.volume_type is not None and wish.volume_type not in self._volume_types():
            raise base.Unsuitable(f"Volume type '{wish.volume_type[:255]}' cannot be found.", "volume.type")
        if wish.availability_zone is not None and wish.availability_zone not in self.zones():
            zone = wish.availability_zone[:255]
            raise base.Unsuitable(f"Availability zone '{zone}' cannot be found.", "availability_zone")
        if wish.nics is not None:
            for nic in wish.nics or [{}]:
                self._check_nic(wish.project_id, nic)

    def zones(self) -> set[str]:
        """Names of Nova's availability zones."""
        found = self._compute.get("Availability zones", "/os-availability-zone")["availabilityZoneInfo"]
        return {one["zoneName"] for one in found if one["zoneState"]["available"]}

    def _check_nic(self, project_id: str, nic: Mapping[str, str]) -> None:
        subnet = self._find("subnet", nic["subnet_id"]) if "subnet_id" in nic else None
        network_id = nic.get("network_id") or (subnet["network_id"] if subnet else self._default_network)
        if network_id is None:
            raise base.Unsuitable("This cloud has no default network: one must be named.", "nics")
        network = self._find("network", network_id)
        if network_id != self._default_network and not self._may_use(project_id, network):
            # As if there were none: whose it is is nobody's business.
            if subnet is not None and "network_id" not in nic:
                raise base.Unsuitable(f"Subnet {subnet['id']} cannot be found.", "nics.subnet_id")
            raise base.Unsuitable(f"Network {network_id} cannot be found.", "nics")
        if subnet is not None and subnet["network_id"] != network_id:
            raise base.Unsuitable(f"Subnet {subnet['id']} is not of network {network_id}.", "nics.subnet_id")
        if not network["subnets"]:
            # Neutron would make a port without an address.
            field = "nics.network_id" if "network_id" in nic else "nics"
            raise base.Unsuitable(f"Network {network_id} has no subnet.", field)
        if "ip_address" in nic:
            self._check_address(nic["ip_address"], network, subnet)

    def _check_address(self, address: str, network: Json, subnet: Json | None) -> None:
        subnets = [subnet] if subnet else [self._find("subnet", one) for one in network["subnets"]]
        if not any(_is_host(ipaddress.ip_address(address), ipaddress.ip_network(one["cidr"])) for one in subnets):
            raise base.Unsuitable(f"Address {address} is of no subnet of network {network['id']}.", "nics.ip_address")
        query = {"network_id": network["id"], "fixed_ips": f"ip_address={address}"}
        if list(self._neutron.list("Ports", "/ports", "ports", query)):
            raise base.Unsuitable(f"Address {address} is taken.", "nics.ip_address")

    def _may_use(self, project_id: str, network: Json) -> bool:
        """Whether a project owns it, or its owner shares it with that project or with all.

        The network's own ``shared`` says that it is shared with dbflow's project, which is no concern of others. Who is
        no administrator sees its own policies only: what can't be told is refused.
        """
        if network["id"] == self._management_network:
            return False
        if network["project_id"] == project_id:
            return True
        query = {"object_id": network["id"], "object_type": "network", "action": "access_as_shared"}
        found = self._neutron.list("Shared networks", "/rbac-policies", "rbac_policies", query)
        return any(one["target_tenant"] in (project_id, "*") for one in found)

    def _find(self, kind: str, resource_id: str) -> Json:
        try:
            found: Json = self._neutron.get(kind.capitalize(), f"/{kind}s/{resource_id}")[kind]
        except base.NotFound:
            field = f"nics.{kind}_id"
            raise base.Unsuitable(f"{kind.capitalize()} {resource_id} cannot be found.", field) from None
        return found


def _is_host(address: _Address, network: _Network) -> bool:
    """Of the network, and neither its own address nor that for all in it."""
    of_all = network.version == 4 and network.num_addresses > 2 and address == network.broadcast_address
    itself = network.num_addresses > 2 and address == network.network_address
    return address in network and not (of_all or itself)
