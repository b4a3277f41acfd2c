# SPDX-License-Identifier: Apache-2.0
"""Wires between servers."""

import contextlib
import ipaddress
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from devcloud.fabric import client, names
from devcloud.guests.host import attempt, ip, run
from devcloud.guests.state import Guest

Vif = Mapping[str, Any]
"""A port, as Nova's network model has it."""


def make(guest: Guest, vifs: Sequence[Vif]) -> None:
    """The server's namespace with its ports, unless it has one."""
    if names.exists(guest.namespace):
        return
    guest.write("vifs", [])
    run("ip", "netns", "add", guest.namespace)
    ip(guest.namespace, "link set lo up")
    for vif in vifs:
        plug(guest, vif)
    client.connect(guest.cloud, guest.namespace)


def plug(guest: Guest, vif: Vif) -> None:
    """Add a port, with the security groups in force."""
    network = vif["network"]
    namespace = names.of_network(network["id"])
    if not names.exists(namespace):
        _make_bridge(guest.cloud, namespace, network["subnets"])
    known = guest.read("vifs", [])
    device, far = f"eth{len(known)}", names.of_port(vif["id"])
    mtu = (network.get("meta") or {}).get("mtu") or 1500
    near = f"link add {device} mtu {mtu} address {vif['address']} type veth"
    ip(guest.namespace, f"{near} peer name {far} netns {namespace} mtu {mtu}")
    ip(namespace, f"link set {far} master br0 up")
    ip(guest.namespace, f"link set {device} up")
    for subnet in network["subnets"]:
        _address(guest.namespace, device, subnet, first=not known)
    guest.write("vifs", [*known, {"id": vif["id"], "device": device, "network": namespace, "far": far}])
    client.load_filters(guest.cloud)


def unplug(guest: Guest, port: str) -> None:
    """Remove a port."""
    known = guest.read("vifs", [])
    for vif in known:
        if vif["id"] == port:
            attempt("ip", "-n", guest.namespace, "link", "del", vif["device"])
    guest.write("vifs", [vif for vif in known if vif["id"] != port])


def drop(guest: Guest) -> None:
    """The server's namespace, and networks that nobody is in any more."""
    if names.exists(guest.namespace):
        client.drop(guest.cloud, guest.namespace)
        attempt("ip", "netns", "del", guest.namespace)
    vifs = guest.read("vifs", [])
    for vif in vifs:
        # What is in a namespace goes some time after its name does.
        attempt("ip", "-n", vif["network"], "link", "del", vif["far"])
    for namespace in {vif["network"] for vif in vifs}:
        if names.exists(namespace) and not run("ip", "-n", namespace, "-o", "link", "show", "type", "veth"):
            client.drop(guest.cloud, namespace)
            remove_bridge(guest.cloud, namespace)


def remove_bridge(cloud: pathlib.Path, namespace: str) -> None:
    """A network's namespace."""
    attempt("ip", "netns", "del", namespace)
    (cloud / "networks" / namespace).unlink(missing_ok=True)


def _make_bridge(cloud: pathlib.Path, namespace: str, subnets: Sequence[Mapping[str, Any]]) -> None:
    (cloud / "networks" / namespace).touch()
    run("ip", "netns", "add", namespace)
    ip(namespace, "link set lo up", "link add br0 type bridge", "link set br0 up")
    for subnet in subnets:
        if gateway := _gateway(subnet):
            ip(namespace, f"addr add {gateway}/{_prefix(subnet)} dev br0")


def _address(namespace: str, device: str, subnet: Mapping[str, Any], first: bool) -> None:
    for address in subnet["ips"]:
        ip(namespace, f"addr add {address['address']}/{_prefix(subnet)} dev {device}")
    gateway = _gateway(subnet)
    if first and gateway and subnet["ips"]:
        six = "-6 " if ipaddress.ip_address(gateway).version == 6 else ""
        ip(namespace, f"{six}route replace default via {gateway}")


def _gateway(subnet: Mapping[str, Any]) -> str | None:
    address: str | None = (subnet.get("gateway") or {}).get("address")
    return address


def _prefix(subnet: Mapping[str, Any]) -> str:
    return str(subnet["cidr"]).split("/")[1]


def remove_all(cloud: pathlib.Path) -> None:
    """Networks whose servers are gone; the cloud's fabric is, too."""
    with contextlib.suppress(FileNotFoundError):
        for path in list((cloud / "networks").iterdir()):
            remove_bridge(cloud, path.name)
