# SPDX-License-Identifier: Apache-2.0
"""Where instances of tests are: networks, images and users of a real OpenStack, and the driver that works there."""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from openstack.connection import Connection
from oslo_config import cfg

from dbflow import conf as options
from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import until_done
from devcloud import identity
from devcloud.settings import ROOT
from tests.servers.devcloud import DevCloud

T = TypeVar("T")
PATIENCE = 180.0
"""Seconds that anything may take."""
REACH = base.Reach("tenant", (3306,))
SERVICE = "dbaas"
"""The user that dbflow logs in as."""


@dataclasses.dataclass
class Place:
    """Made once for all tests."""

    devcloud: DevCloud
    admin: Connection
    network: str
    subnet: str
    public: str
    image: str
    """Boots nothing: the server is a network."""
    management: str = ""
    """Network of a second port of each server, where there is one."""

    @classmethod
    def make(cls, devcloud: DevCloud) -> "Place":
        """In the project of the service."""
        admin = devcloud.openstack(SERVICE)
        network = admin.network.create_network(name="instances")
        subnet = admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.30.0.0/24")
        public = admin.network.find_network("public")
        router = admin.network.create_router(name="instances", external_gateway_info={"network_id": public.id})
        admin.network.add_interface_to_router(router, subnet_id=subnet.id)
        image = admin.image.create_image(name="empty", disk_format="raw", container_format="bare", data=b"x")
        return cls(devcloud, admin, network.id, subnet.id, public.id, image.id)

    def managed(self) -> "Place":
        """With a network from which guests reach the broker."""
        network = self.admin.network.create_network(name="management")
        self.admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.31.0.0/24", gateway_ip=None)
        return dataclasses.replace(self, management=network.id)

    def options(self) -> dict[str, str]:
        """Of [openstack]."""
        login = identity.login(self.devcloud.settings, SERVICE)
        return {
            "auth_type": "v3password",
            **login["auth"],
            "region_name": login["region_name"],
            "interface": "public",
            "networks": self.network,
            "public_network": self.public,
            "poll_interval": "0.3",
            **({"management_network": self.management} if self.management else {}),
        }

    @contextlib.contextmanager
    def without(self, host: str) -> Iterator[None]:
        """Nova puts no server on a host meanwhile."""
        nova = self.devcloud.openstack("admin").compute
        (service,) = nova.services(host=host, binary="nova-compute")
        nova.disable_service(service)
        try:
            yield
        finally:
            nova.enable_service(service)

    def cloud(self, directory: pathlib.Path, **changes: str) -> OpenStackCloud:
        """The driver, with a configuration file of its own."""
        lines = [f"{name} = {value}\n" for name, value in (self.options() | changes).items()]
        file = directory / f"{uuid.uuid4()}.conf"
        file.write_text(f"[openstack]\n{''.join(lines)}")
        conf = options.register(cfg.ConfigOpts())
        conf([], default_config_files=[str(file)])
        return OpenStackCloud(conf)

    def serve(self, cloud: OpenStackCloud, **changes: Any) -> str:
        """Id of a new instance, with all that belongs to it."""
        instance_id = str(uuid.uuid4())
        done(cloud.servers.create, self.boot(cloud, instance_id, **changes))
        return instance_id

    def boot(self, cloud: OpenStackCloud, instance_id: str, **changes: Any) -> base.Boot:
        """What a server needs, made."""
        port = done(cloud.networks.create_port, instance_id, [], {}, REACH)
        volume = done(cloud.volumes.create, instance_id, 1, None)
        files = {"guest.conf": json.dumps({}), "message.key": "key"}
        wanted = {"flavor_id": "1", "image": self.image, "manager": "mariadb", **changes}
        return base.Boot(instance_id=instance_id, port=port, volume=volume, files=files, **wanted)


def done(call: Callable[..., T], *args: Any) -> T:
    """As a flow makes it: until it is."""
    return until_done(lambda: call(*args), PATIENCE)


def remove(cloud: OpenStackCloud, instance_id: str) -> None:
    """All of an instance."""
    for kind in ("server", "volume", "port"):
        done(cloud.remove, kind, instance_id)


def build_image(directory: pathlib.Path) -> pathlib.Path:
    """The image that ``tools/build-image`` makes of what is here."""
    path = directory / "guest.squashfs"
    subprocess.run([ROOT / "tools" / "build-image", path], check=True)
    return path


def upload_image(devcloud: DevCloud, path: pathlib.Path) -> str:
    """Its id in the cloud."""
    form = {"disk_format": "raw", "container_format": "bare", "tags": ["dbflow", "mariadb"]}
    return str(devcloud.openstack(SERVICE).image.create_image(name="guest", filename=str(path), **form).id)
