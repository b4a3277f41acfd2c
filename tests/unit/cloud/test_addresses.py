# SPDX-License-Identifier: Apache-2.0
"""Every instance has an address of its own."""

import contextlib
import ipaddress
import pathlib
import socket
import uuid
from collections.abc import Iterator

import pytest

from dbflow.cloud.base import CloudError, OutOfCapacity
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud import forked
from tests.unit.cloud.conftest import MakeCloud

NARROW = {"address_range": "127.99.1.1-127.99.1.4"}


def allocate(cloud: LocalCloud, instance_id: str | None = None) -> str:
    return str(cloud.networks.create_port(instance_id or str(uuid.uuid4()), [], {}).addresses[0]["address"])


@contextlib.contextmanager
def bound(address: str, port: int = 0) -> Iterator[int]:
    """Another program that has the port. Yields its number."""
    with socket.socket() as other:
        other.bind((address, port))
        yield other.getsockname()[1]


def test_found_again_by_another_process(make_cloud: MakeCloud, instance_id: str) -> None:
    first = make_cloud().networks.create_port(instance_id, [], {})
    again = make_cloud().networks.create_port(instance_id, [{"net-id": "x"}], {"is_public": True})
    assert again == first
    assert first.addresses == ({"address": first.id, "type": "private", "network": "loopback"},)


def test_found_again_while_its_database_listens(make_cloud: MakeCloud, instance_id: str) -> None:
    with bound("127.99.2.1") as port:
        pass
    options = {"address_range": "127.99.2.2-127.99.2.40", "port": port}
    address = allocate(make_cloud(**options), instance_id)
    with bound(address, port):
        assert allocate(make_cloud(**options), instance_id) == address


def test_freed_when_deleted(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(**NARROW)
    ids = [str(uuid.uuid4()) for _ in range(4)]
    addresses = {allocate(cloud, instance_id) for instance_id in ids}
    assert addresses == {f"127.99.1.{last}" for last in (1, 2, 3, 4)}
    with pytest.raises(OutOfCapacity, match="no address of the range is free"):
        allocate(cloud)
    cloud.networks.delete_port(ids[2])
    cloud.networks.delete_port(ids[2])
    assert allocate(cloud) in addresses
    assert len(cloud.inventory()["ports"]) == 4


def test_a_taken_port_is_avoided(make_cloud: MakeCloud) -> None:
    with bound("127.99.1.2") as port:
        cloud = make_cloud(**NARROW, port=port)
        assert {allocate(cloud) for _ in range(3)} == {"127.99.1.1", "127.99.1.3", "127.99.1.4"}
        with pytest.raises(OutOfCapacity):
            allocate(cloud)


@pytest.mark.parametrize(("family", "wildcard"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_a_port_taken_on_all_addresses_is_told(
    make_cloud: MakeCloud, family: socket.AddressFamily, wildcard: str
) -> None:
    with socket.socket(family) as other:  # bound, not listening: that is enough to have it
        if family is socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        other.bind((wildcard, 0))
        port = other.getsockname()[1]
        with pytest.raises(OutOfCapacity, match=f"listens on port {port} of every address"):
            allocate(make_cloud(port=port))


def test_races_of_many_processes_give_nothing_twice(make_cloud: MakeCloud) -> None:
    clouds = [make_cloud(address_range="127.99.3.1-127.99.3.96") for _ in range(12)]
    racers = [forked.start(lambda c=cloud: [allocate(c) for _ in range(8)]) for cloud in clouds]
    assert [forked.join(pid) for pid in racers] == [0] * 12
    ports = make_cloud().inventory()["ports"]
    assert len({port.split()[1] for port in ports}) == 96, "each of the 96 addresses went to one instance"
    assert len({port.split()[0] for port in ports}) == 96


def test_a_race_for_one_instance_gives_one_address(make_cloud: MakeCloud, instance_id: str) -> None:
    clouds = [make_cloud() for _ in range(8)]
    racers = [forked.start(lambda c=cloud: allocate(c, instance_id)) for cloud in clouds]
    assert [forked.join(pid) for pid in racers] == [0] * 8
    assert len(make_cloud().inventory()["ports"]) == 1


def test_the_default_range_stays_out_of_reserved_addresses(make_cloud: MakeCloud, open_tmp: pathlib.Path) -> None:
    for number in range(20):
        address = ipaddress.IPv4Address(allocate(make_cloud(open_tmp / f"cloud{number}")))
        assert 16 <= address.packed[1] <= 254
        assert address.packed[3] not in (0, 255)


def test_two_state_directories_start_at_different_places(make_cloud: MakeCloud, open_tmp: pathlib.Path) -> None:
    one, other = make_cloud(open_tmp / "one"), make_cloud(open_tmp / "other")
    ids = [str(uuid.uuid4()) for _ in range(50)]
    assert not {allocate(one, i) for i in ids} & {allocate(other, i) for i in ids}


@pytest.mark.parametrize(
    "bad",
    [
        "127.16.0.0",
        "10.0.0.1-10.0.0.9",
        "127.0.0.1-127.0.0.9",
        "127.0.1.200-127.16.0.0",
        "127.254.0.0-127.255.0.1",
        "127.20.0.9-127.20.0.1",
        "127.16.0.0-127.16.0.x",
    ],
)
def test_a_bad_range_is_refused_at_start(make_cloud: MakeCloud, bad: str) -> None:
    with pytest.raises(CloudError, match="address_range"):
        make_cloud(address_range=bad)
