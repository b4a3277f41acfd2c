# SPDX-License-Identifier: Apache-2.0
"""The driver, logged in to an OpenStack of lists."""

import dataclasses
import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from oslo_config import cfg

from dbflow import conf as options
from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.unit.openstack.http import FakeOpenStack
from tests.unit.openstack.services import Cinder, Designate, Glance, Neutron, Nova

T = TypeVar("T")
REACH = base.Reach("p1", (3306,))


@dataclasses.dataclass
class World:
    """The cloud, and what is in it."""

    directory: pathlib.Path
    fake: FakeOpenStack
    nova: Nova
    cinder: Cinder
    neutron: Neutron
    glance: Glance
    designate: Designate
    waited: list[NotYet] = dataclasses.field(default_factory=list)
    """What the last ``done`` waited for."""

    def cloud(self, **changes: str | None) -> OpenStackCloud:
        """A driver with these options of [openstack]; None for one that is not set."""
        wanted = {
            "auth_type": "v3password",
            "auth_url": f"{self.fake.url}/v3",
            "username": "dbflow",
            "password": "secret",
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "networks": "net-1",
            "public_network": "public",
            **changes,
        }
        lines = [f"{name} = {value}\n" for name, value in wanted.items() if value is not None]
        file = self.directory / f"{uuid.uuid4()}.conf"
        file.write_text(f"[openstack]\n{''.join(lines)}")
        conf = options.register(cfg.ConfigOpts())
        conf([], default_config_files=[str(file)])
        return OpenStackCloud(conf)

    def done(self, call: Callable[..., T], *args: Any, most: int = 20) -> T:
        """As a flow makes it: again while it is NotYet. Nobody sleeps; at most so many times."""
        self.waited = []
        while True:
            try:
                return call(*args)
            except NotYet as what:
                self.waited.append(what)
                assert len(self.waited) < most, self.waited

    def boot(self, cloud: OpenStackCloud, instance_id: str, **changes: Any) -> base.Boot:
        """What a server needs, made."""
        port = self.done(cloud.networks.create_port, instance_id, [], {}, REACH)
        volume = self.done(cloud.volumes.create, instance_id, 1, None)
        files = {"guest.conf": "[guest]\n", "message.key": "key\n"}
        wanted = {"manager": "mariadb", **changes}
        return base.Boot(instance_id, "1", "old", port, volume, files, **wanted)

    def serve(self, cloud: OpenStackCloud, **changes: Any) -> str:
        """Id of a new instance that has a server."""
        instance_id = str(uuid.uuid4())
        self.done(cloud.servers.create, self.boot(cloud, instance_id, **changes))
        return instance_id


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    cinder, neutron, glance, designate = Cinder(), Neutron(), Glance(), Designate()
    nova = Nova(cinder, neutron)
    services = {"compute": nova, "volume": cinder, "network": neutron, "image": glance, "dns": designate}
    fake = FakeOpenStack(services)
    yield World(tmp_path, fake, nova, cinder, neutron, glance, designate)
    fake.close()


@pytest.fixture
def cloud(world: World) -> OpenStackCloud:
    return world.cloud()
