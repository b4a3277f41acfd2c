# SPDX-License-Identifier: Apache-2.0
"""Neutron's ports, and all that leads to them."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.dns import HostNames
from dbflow.cloud.openstack.errors import Passing, patient
from dbflow.cloud.openstack.floating import FloatingAddresses
from dbflow.cloud.openstack.names import MANAGEMENT, Names
from dbflow.cloud.openstack.securitygroups import SecurityGroups


@dataclasses.dataclass(frozen=True)
class Places:
    """Which networks, by id."""

    default: str | None
    """Of instances whose owners name none."""
    management: str | None
    management_groups: Sequence[str]


class NeutronNetworks(base.Networks):
    """A port an instance for its database; where there is a management network, a second for its guest."""

    def __init__(
        self,
        neutron: Service,
        names: Names,
        project_id: Callable[[], str],
        places: Places,
        groups: SecurityGroups,
        floating: FloatingAddresses,
        hosts: HostNames,
    ) -> None:
        self._neutron, self._names, self._project_id, self._places = neutron, names, project_id, places
        self._groups, self._floating, self._hosts = groups, floating, hosts

    @patient
    def create_port(
        self,
        instance_id: str,
        nics: list[Mapping[str, str]],
        access: Mapping[str, object],
        reach: base.Reach = base.NOBODY,
    ) -> base.Port:
        """Create or find: groups, ports, and where ``access`` and the configuration say so a public address and a
        name."""
        groups = self._groups.ensure(instance_id, access, reach)
        name = self._names.of(instance_id)
        port = self._one(instance_id, name, groups, lambda: self._wanted(nics))
        if self._places.management is not None:
            network = {"network_id": self._places.management}
            security = list(self._places.management_groups) or self._groups.closed(instance_id)
            self._one(instance_id, name + MANAGEMENT, security, lambda: network)
        return self._reached(instance_id, port, access)

    @patient
    def update_access(
        self, instance_id: str, access: Mapping[str, object], reach: base.Reach = base.NOBODY
    ) -> base.Port:
        """Rules, and the public address and the name."""
        groups = self._groups.ensure(instance_id, access, reach)
        return self._reached(instance_id, self._joined(instance_id, self.main(instance_id), groups), access)

    @patient
    def delete_port(self, instance_id: str) -> None:
        """Ports, and whatever led to them."""
        self._hosts.delete(instance_id)
        self._floating.delete(instance_id)
        for port in self._ports(instance_id):
            self._neutron.delete(_named(instance_id), f"/ports/{port['id']}")
        self._groups.delete(instance_id)

    def main(self, instance_id: str) -> Json:
        """The port of the database, as Neutron has it. NotFound."""
        found = self._ports(instance_id)
        if not found or found[0]["name"] != self._names.of(instance_id):
            raise base.NotFound(f"{_named(instance_id)} cannot be found.")
        return found[0]

    def ids(self, instance_id: str) -> list[str]:
        """Of all ports, that of the database first. NotFound."""
        main = self.main(instance_id)
        found = self._ports(instance_id)
        return [main["id"], *(port["id"] for port in found if port["name"] != main["name"])]

    def server(self, instance_id: str) -> str | None:
        """Id of what has one of the ports; None when nothing has."""
        return next((port["device_id"] for port in self._ports(instance_id) if port["device_id"]), None)

    def servers(self, instance_id: str) -> set[str]:
        """Ids of the servers of Nova's that have a port."""
        return {port["device_id"] for port in self._ports(instance_id) if _has_server(port)}

    def release(self, instance_id: str, server_id: str) -> None:
        """Take the ports from a server that never ran, or is no more; from what is no server of Nova's, never."""
        for port in self._ports(instance_id):
            if port["device_id"] == server_id and _has_server(port):
                guard.still_wanted()
                body = {"port": {"device_id": "", "device_owner": ""}}
                self._neutron.put(_named(instance_id), f"/ports/{port['id']}", body)

    def switch(self, instance_id: str, on: bool) -> None:
        """Let the ports carry traffic, or none; fine when they do so."""
        for port in self._ports(instance_id):
            if port["admin_state_up"] is not on:
                guard.still_wanted()
                body = {"port": {"admin_state_up": on}}
                self._neutron.put(_named(instance_id), f"/ports/{port['id']}", body)

    def all(self) -> list[Json]:
        """Whatever is named as our ports are."""
        return [port for port in self._list() if port["name"].startswith(self._names.prefix)]

    def _one(
        self, instance_id: str, name: str, groups: Sequence[str], wanted: Callable[[], Mapping[str, object]]
    ) -> Json:
        found = [port for port in self._ports(instance_id) if port["name"] == name]
        for extra in found[1:]:
            if not extra["device_id"]:
                self._neutron.delete(_named(instance_id), f"/ports/{extra['id']}")
        if found:
            return self._joined(instance_id, found[0], groups)
        guard.still_wanted()
        body = {
            **wanted(),
            "name": name,
            "security_groups": list(groups),
        }
        with _groups_may_go():
            made: Json = self._neutron.post(_named(instance_id), "/ports", {"port": body})["port"]
        return made

    def _joined(self, instance_id: str, port: Json, groups: Sequence[str]) -> Json:
        """The port, in these groups. Of a project's, made twice at once, it may have been given the one that goes."""
        if set(groups) <= set(port["security_groups"]):
            return port
        body = {"port": {"security_groups": list(groups)}}
        with _groups_may_go():
            joined: Json = self._neutron.put(_named(instance_id), f"/ports/{port['id']}", body)["port"]
        return joined

    def _wanted(self, nics: Sequence[Mapping[str, str]]) -> dict[str, object]:
        nic = nics[0] if nics else {}
        fixed = {key: nic[key] for key in ("subnet_id", "ip_address") if key in nic}
        network = nic.get("network_id")
        if network is None and "subnet_id" in nic:
            network = self._neutron.get("Subnet", f"/subnets/{nic['subnet_id']}")["subnet"]["network_id"]
        if network is None:
            network = self._places.default
        if network is None:
            raise base.CloudError("No network was named, and [openstack] networks has none")
        return {"network_id": network, **({"fixed_ips": [fixed]} if fixed else {})}

    def _reached(self, instance_id: str, port: Json, access: Mapping[str, object]) -> base.Port:
        network = port["network_id"]
        if not port["fixed_ips"]:
            raise base.CloudError(f"{_named(instance_id)} got no address in network {network}")
        addresses = [
            {"address": fixed["ip_address"], "type": "private", "network": network} for fixed in port["fixed_ips"]
        ]
        if access.get("is_public"):
            public = self._floating.ensure(instance_id, port["id"])
            addresses.append({"address": public, "type": "public"})
        else:
            self._floating.delete(instance_id)
        hostname = self._hosts.ensure(instance_id, addresses[-1]["address"])
        return base.Port(id=port["id"], addresses=tuple(addresses), hostname=hostname)

    def _ports(self, instance_id: str) -> list[Json]:
        """The database's first, of each name the one that a server has or the oldest."""
        names = [self._names.of(instance_id), self._names.of(instance_id, MANAGEMENT)]
        found = self._list(name=names)
        return sorted(
            found,
            key=lambda port: (port["name"], not port["device_id"], port.get("created_at") or "", port["id"]),
        )

    def _list(self, **query: object) -> list[Json]:
        query["project_id"] = self._project_id()
        return list(self._neutron.list("Ports", "/ports", "ports", query))


@contextlib.contextmanager
def _groups_may_go() -> Iterator[None]:
    """The last instance of a project may just have gone, and taken the project's group with it."""
    try:
        yield
    except base.NotFound as error:
        if "ecurity group" in str(error):
            raise Passing(str(error)) from error
        raise base.CloudError(str(error)) from error


def _has_server(port: Json) -> bool:
    return bool(port["device_id"]) and str(port["device_owner"]).startswith("compute:")


def _named(instance_id: str) -> str:
    return f"Port of instance {instance_id}"
