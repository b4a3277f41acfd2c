# SPDX-License-Identifier: Apache-2.0
"""The whole product in a real OpenStack: services, board, broker and SQL here, databases on servers of Nova, tokens of
Keystone, backups in Swift."""

import contextlib
import pathlib
import subprocess
from typing import Any

import pymysql
from keystoneauth1 import session
from keystoneauth1.identity import v3

from dbflow.cmd.standalone import _mariadb_version
from dbflow.services.seed import ensure_datastore
from devcloud import identity
from devcloud.fabric import client as fabric
from devcloud.fabric import names
from devcloud.settings import REGION
from tests.functional.stack import Client, RealStack, mysql
from tests.functional.stack.base import Settings
from tests.functional.stack.inventory import Inventory
from tests.functional.stack.process import SCRIPTS
from tests.openstack import estate
from tests.servers.devcloud import DevCloud
from tests.wire.cli import OpenStack, environment

SERVICE = "dbaas"
"""The user whose project owns what dbflow makes."""
USER, OTHER, READER, ADMIN = "tenant1", "tenant2", "reader", "admin"
CIDR = "10.77.3.0/24"


class Product(RealStack):
    """Users are those of the devcloud."""

    kind = "openstack"

    def __init__(self, cloud: DevCloud, image: str, more: Settings | None = None) -> None:
        """``image``: id of the one that databases' servers boot from."""
        self.devcloud, self._image = cloud, image
        self._clouds = cloud.directory / "clouds.yaml"
        login = dict(identity.login(cloud.settings, SERVICE)["auth"])
        names_of_login = {"auth_type": "password", **login}
        self._network = estate.network(cloud.openstack(SERVICE), CIDR)
        swift = {f"swift_{key}": login[key] for key in ("auth_url", "username", "password", "project_name")}
        settings: dict[str, dict[str, object]] = {
            "api": {"auth": "keystone"},
            "cloud": {"driver": "openstack"},
            "openstack": {**names_of_login, "region_name": REGION, "networks": self._network, "poll_interval": 0.3},
            "keystone_authtoken": {**names_of_login, "www_authenticate_uri": login["auth_url"]},
            "object_store": {"driver": "swift", "swift_region_name": REGION, **swift},
            "conductor": {"orphan_interval": 30.0, "orphan_grace": 60.0, "outbox_interval": 0.5},
        }
        for group, options in (more or {}).items():
            settings[group] = {**settings.get(group, {}), **options}
        super().__init__(pathlib.Path("/nonexistent"), settings)

    def client_of(self, user: str) -> Client:
        """The API as one of the devcloud's users."""
        auth = identity.login(self.devcloud.settings, user)["auth"]
        login = v3.Password(**auth)
        http = session.Session(login)
        return Client(f"http://127.0.0.1:{self._port}/v1.0/{login.get_project_id(http)}", http.get_token() or "")

    def client(self) -> Client:
        return self.client_of(USER)

    def admin(self) -> Client:
        return self.client_of(ADMIN)

    def command(self, user: str) -> OpenStack:
        """``openstack``, which finds the API in the catalog."""
        return OpenStack(self._clouds, user)

    def connect(self, instance: dict[str, Any], user: str, password: str, database: str, source: str = "") -> Any:
        """A connection to the database, from its network, or from the server with the id ``source``."""
        namespace = names.of_server(source) if source else names.of_network(self._network)
        port = fabric.expose(self.devcloud.directory, namespace, instance["ip"][0], 3306)
        there = {"ip": ["127.0.0.1"]}
        return mysql(there, user, password, database, port=port, read_timeout=20)

    def answers(self, instance: dict[str, Any], user: str, password: str, database: str) -> bool:
        """Whether it may be reached."""
        try:
            with contextlib.closing(self.connect(instance, user, password, database)):
                return True
        except pymysql.Error:
            return False

    def _install(self) -> None:
        super()._install()
        with contextlib.closing(self.database()) as database:
            ensure_datastore(database, "mariadb", *_mariadb_version(), manager="mariadb", image=self._image)
        fabric.forward(self.devcloud.directory, self.rabbitmq.port)

    def register(self) -> None:
        """As an operator does, once: into the catalog."""
        words = ["--config-file", str(self.conf), "keystone", "register", "--os-cloud", ADMIN]
        where = ["--region", REGION, "--public-url", f"http://127.0.0.1:{self._port}"]
        settings = {"OS_CLIENT_CONFIG_FILE": str(self._clouds)}
        subprocess.run([SCRIPTS / "dbflow-manage", *words, *where], env=environment(settings), check=True)

    def inventory_of_cloud(self) -> Inventory:
        """What is in the project of dbflow's user."""
        return estate.inventory(self.devcloud.openstack(SERVICE))
