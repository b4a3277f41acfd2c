# SPDX-License-Identifier: Apache-2.0
"""The whole of dbflow in an OpenStack: its users are Keystone's, its instances are servers, its backups are Swift's."""

import contextlib
import pathlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pymysql

from devcloud import identity
from devcloud.fabric import client as fabric
from devcloud.fabric import names
from devcloud.settings import REGION
from tests.functional.stack import Client, RealStack
from tests.functional.stack.base import Settings
from tests.functional.stack.inventory import Inventory
from tests.functional.stack.process import SCRIPTS
from tests.openstack import estate
from tests.openstack.place import SERVICE, Place
from tests.waiting import wait_for
from tests.wire.cli import OpenStack, environment

USER = "tenant1"
"""A plain member of a project of its own."""
_TOKEN = 1800.0
"""Seconds for which a token is used; Keystone's are good for an hour."""


class CloudStack(RealStack):
    """On a place of which it uses the driver of dbflow's own user."""

    kind = "openstack"

    def __init__(self, images: pathlib.Path, place: Place, image: str) -> None:
        """``image``: what servers boot, by its id. ``images`` is for the local cloud, which is not used."""
        super().__init__(images)
        self.image = image
        self.place = place
        self._tokens_of: dict[str, tuple[float, str, str]] = {}

    def start(self) -> None:
        """Guests reach the broker as they do the services of the cloud."""
        super().start()
        broker = urlsplit(self.rabbitmq.url()).port
        assert broker is not None
        fabric.forward(self.place.devcloud.directory, broker)

    def write_settings(self, path: pathlib.Path, more: Settings | None = None) -> pathlib.Path:
        """Everything is the cloud's, tokens too."""
        login = identity.login(self.place.devcloud.settings, SERVICE)
        auth = login["auth"]
        swift = {f"swift_{name}": value for name, value in auth.items()}
        own: dict[str, Mapping[str, object]] = {
            "cloud": {"driver": "openstack"},
            "quota": {"max_accepted_volume_size": 100},
            "openstack": self.place.options(),
            "api": {"auth": "keystone"},
            "keystone_authtoken": {"www_authenticate_uri": auth["auth_url"], "auth_type": "password", **auth},
            "object_store": {"driver": "swift", **swift, "swift_region_name": login["region_name"]},
        }
        groups = {*own, *(more or {})}
        merged = {group: {**(more or {}).get(group, {}), **own.get(group, {})} for group in groups}
        return super().write_settings(path, merged)

    def client(self) -> Client:
        """A plain member."""
        return self.of(USER)

    def admin(self) -> Client:
        return self.of("admin")

    def of(self, user: str) -> Client:
        """A user of the cloud, with a token that lasts for a while yet."""
        made, token, project = self._tokens_of.get(user, (0.0, "", ""))
        if time.monotonic() - made > _TOKEN:
            login = self.place.devcloud.openstack(user)
            token, project = login.auth_token, login.current_project_id
            self._tokens_of[user] = (time.monotonic(), token, project)
        return Client(f"http://127.0.0.1:{self._port}/v1.0/{project}", token)

    def command(self, user: str) -> OpenStack:
        """``openstack`` of a user, which finds the API in the catalog."""
        return OpenStack(self._clouds, user)

    def register(self) -> None:
        """As an operator does, once: put the API into the catalog."""
        words = ["--config-file", str(self.conf), "keystone", "register", "--os-cloud", "admin"]
        where = ["--region", REGION, "--public-url", f"http://127.0.0.1:{self._port}"]
        settings = environment({"OS_CLIENT_CONFIG_FILE": str(self._clouds)})
        subprocess.run([SCRIPTS / "dbflow-manage", *words, *where], env=settings, check=True)

    @property
    def _clouds(self) -> pathlib.Path:
        return self.place.devcloud.directory / "clouds.yaml"

    def inventory_of_cloud(self) -> Inventory:
        """What the project of dbflow's user has, as the services say."""
        return estate.inventory(self.place.admin)

    @contextlib.contextmanager
    def mysql(self, instance: Mapping[str, Any], user: str, password: str, database: str) -> Iterator[Any]:
        """A connection to an instance's database, from the gateway of its network."""
        with wait_for(lambda: self._connect(instance, user, password, database), 60, "the database") as connection:
            yield connection

    def reaches(self, instance: Mapping[str, Any], user: str, password: str, database: str) -> bool:
        """Whether there is such a connection."""
        connection = self._connect(instance, user, password, database)
        if connection is not None:
            connection.close()
        return connection is not None

    def _connect(self, instance: Mapping[str, Any], user: str, password: str, database: str) -> Any:
        namespace = names.of_network(self.place.network)
        address = instance["addresses"][0]["address"]
        port = fabric.expose(self.place.devcloud.directory, namespace, address, 3306)
        login = {"user": user, "password": password, "database": database, "connect_timeout": 5}
        try:
            return pymysql.connect(host="127.0.0.1", port=port, autocommit=True, **login)
        except pymysql.OperationalError:
            return None
