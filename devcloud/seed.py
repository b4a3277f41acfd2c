# SPDX-License-Identifier: Apache-2.0
"""What every new cloud has: flavors, and a network to the outside."""

from devcloud.rest import Admin

DISK_GIB = 5
FLAVORS = {"db.tiny": (256, 1), "db.small": (512, 1), "db.medium": (1024, 2), "db.large": (2048, 2)}
FLAVORS |= {"db.xlarge": (4096, 4)}
"""Name -> MiB of memory, processors. Their ids count from 1."""
PUBLIC = {"name": "public", "router:external": True, "provider:network_type": "flat"}
PUBLIC |= {"provider:physical_network": "public"}
ADDRESSES = {"ip_version": 4, "enable_dhcp": False, "cidr": "198.51.100.0/24", "gateway_ip": "198.51.100.1"}


def add_flavors(admin: Admin) -> None:
    """Those that are missing."""
    for number, (name, (memory, processors)) in enumerate(FLAVORS.items(), 1):
        flavor = {"id": str(number), "name": name, "ram": memory, "vcpus": processors, "disk": DISK_GIB}
        admin.send("POST", "nova", "/v2.1/flavors", {"flavor": flavor})


def add_network(admin: Admin) -> None:
    """The network ``public`` with a subnet."""
    found = admin.get("neutron", "/v2.0/networks?name=public")["networks"]
    network = found[0] if found else admin.send("POST", "neutron", "/v2.0/networks", {"network": PUBLIC})["network"]
    if not network["subnets"]:
        admin.send("POST", "neutron", "/v2.0/subnets", {"subnet": {**ADDRESSES, "network_id": network["id"]}})
