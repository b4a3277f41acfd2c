# SPDX-License-Identifier: Apache-2.0
"""Names of instances in a real Designate, which tells that one is ACTIVE when BIND has it."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.openstack.place import REACH, SERVICE, Place, done
from tests.servers.devcloud import DevCloud

pytestmark = pytest.mark.full

ZONE = "db.test."
ID = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a09"


@pytest.fixture
def named(tmp_path: pathlib.Path) -> Iterator[Place]:
    """A cloud of its own: others have no Designate."""
    with DevCloud(tmp_path / "cloud", ("--services", "keystone,swift,glance,neutron,designate")) as cloud:
        yield Place.make(cloud)


def test_a_name(named: Place, tmp_path: pathlib.Path) -> None:
    dns = named.devcloud.openstack(SERVICE).dns
    zone = dns.create_zone(name=ZONE, email="dba@db.test")
    driver = named.cloud(tmp_path, dns_zone=ZONE)

    def led_to() -> list[tuple[str, list[str], str]]:
        found = dns.recordsets(zone, name=f"{ID}.{ZONE}")
        return [(one.type, list(one.records), one.status) for one in found]

    port = done(driver.networks.create_port, ID, [], {}, REACH)
    assert port.hostname == f"{ID}.db.test"
    assert led_to() == [("A", [port.addresses[0]["address"]], "ACTIVE")]
    port = done(driver.networks.update_access, ID, {"is_public": True}, REACH)
    assert led_to() == [("A", [port.addresses[-1]["address"]], "ACTIVE")]
    done(driver.networks.delete_port, ID)
    assert led_to() == []
