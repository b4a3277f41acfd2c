# SPDX-License-Identifier: Apache-2.0
"""The services on ZooKeeper, RabbitMQ and MariaDB, with several API workers and two conductors."""

import contextlib
import pathlib
import secrets

import requests
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from dbflow.api.auth import TokenFileAuth
from dbflow.cmd.standalone import _mariadb_version
from dbflow.crypto import Keyring
from dbflow.db import migrate
from dbflow.db.models import Conductor
from dbflow.db.session import Database
from dbflow.services.seed import ensure_datastore
from tests.functional.stack.base import Settings, Stack
from tests.functional.stack.client import PATIENCE, Client
from tests.functional.stack.inventory import Inventory
from tests.functional.stack.process import Service
from tests.servers import MariaDBServer, RabbitMQ, ZooKeeper, ports
from tests.waiting import wait_for

SESSION_TIMEOUT = 3.0
"""Seconds, unless a stack is made with others."""
CONDUCTORS = 2
REMOVED = "removed an orphan: messages of"
"""What a conductor logs."""


class RealStack(Stack):
    """Servers of its own, so that a test may stop them."""

    kind = "real"

    def __init__(
        self, images: pathlib.Path, settings: Settings | None = None, *, session_timeout: float = SESSION_TIMEOUT
    ) -> None:
        """``session_timeout``: seconds after which a conductor that is gone is noticed."""
        super().__init__(images, settings)
        self.image: str | None = None
        self.directory.chmod(0o755)
        self.session_timeout = session_timeout
        self.zookeeper = ZooKeeper(self.directory)
        self.rabbitmq = RabbitMQ(self.directory)
        self.mariadb = MariaDBServer(self.directory)
        self._port, self._objects_port = ports.free_ports(2)
        self._tokens = {name: secrets.token_urlsafe(32) for name in ("demo", "admin")}
        self.conf = self.directory / "dbflow.conf"
        self.api = self.service("api", ["dbflow-api", "--config-file", str(self.conf)], self._serves)
        serve = ["dbflow-objects", "--config-file", str(self.conf)]
        self.object_server = self.service("objects", serve, lambda service: "ready: " in service.text())
        self.conductors = [
            self.service(f"conductor-{number}", ["dbflow-conductor", "--config-file", str(self.conf)], self._conducts)
            for number in range(CONDUCTORS)
        ]

    @property
    def cloud(self) -> pathlib.Path:
        return self.directory / "cloud"

    @property
    def services(self) -> list[Service]:
        return [self.api, self.object_server, *self.conductors]

    @property
    def objects(self) -> pathlib.Path:
        return self.directory / "objects"

    def client(self) -> Client:
        return self._client("demo")

    def admin(self) -> Client:
        return self._client("admin")

    def _client(self, project: str) -> Client:
        return Client(f"http://127.0.0.1:{self._port}/v1.0/{project}", self._tokens[project])

    def database(self) -> Database:
        return Database(self._url, idle_transaction_timeout=60)  # a starved test must not be taken for a dead one

    def start(self) -> None:
        for server in (self.zookeeper, self.rabbitmq, self.mariadb):
            server.start()
        if not self.conf.exists():
            self._install()
        waiting = [service for service in self.services if not service.alive]
        for service in waiting:
            service.begin()
        for service in waiting:
            service.wait_ready()

    def _install(self) -> None:
        """What an operator does once."""
        self._url = self.mariadb.create_database("dbflow")
        migrate.upgrade(self._url)
        with contextlib.closing(self.database()) as database:
            ensure_datastore(database, "mariadb", *_mariadb_version(), manager="mariadb", image=self.image)
        keys, tokens = self.directory / "keys", self.directory / "tokens.json"
        Keyring.create_file(keys)
        roles = {"demo": ["member", "reader"], "admin": ["admin", "member", "reader"]}
        TokenFileAuth.write(
            tokens,
            {
                self._tokens[name]: {
                    "user": name,
                    "user_id": name,
                    "project_id": name,
                    "project_name": name,
                    "roles": roles[name],
                }
                for name in roles
            },
        )
        more: Settings = {
            "database": {"connection": self._url},
            "security": {"key_file": keys},
            "coordination": {"hosts": self.zookeeper.hosts, "session_timeout": self.session_timeout},
            "messaging": {"url": self.rabbitmq.url(), "management_url": self.rabbitmq.management_url},
            "local_cloud": {"state_dir": self.cloud},
            "object_store": {"directory": self.objects, "bind_port": self._objects_port},
            "api": {"token_file": tokens, "bind_port": self._port, "workers": 2},
        }
        self._settings["api"].setdefault("auth", "token_file")
        self.write_settings(self.conf, more)

    def _serves(self, _: Service) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self._port}/", timeout=5).ok
        except requests.RequestException:
            return False

    def _conducts(self, service: Service) -> bool:
        with contextlib.closing(self.database()) as database, database.read() as session:
            return any(row.pid == service.pid for row in session.query(Conductor))

    def running_in(self, operation: dict[str, object]) -> Service:
        """The conductor process that runs an operation, as the administrator sees it."""
        pid = str(operation["conductor"]).split(":")[1]
        return next(one for one in self.conductors if str(one.pid) == pid)

    def bury(self, point: str) -> None:
        """Workers of the API are replaced by their master; a conductor's work goes on in the other one."""
        if point == "operation.accepted":
            wait_for(lambda: self._serves(self.api), PATIENCE, "the API without its worker")
        else:
            wait_for(lambda: not all(one.alive for one in self.conductors), PATIENCE, f"a death at {point}")

    def kill_runner(self, operation_id: str) -> None:
        self.running_in(self.admin().operation(operation_id)).kill9()

    def close(self) -> None:
        for service in self.services:
            if service.alive:
                service.stop()
        self.zookeeper.stop()
        self.rabbitmq.kill()
        self.mariadb.stop()

    def parts_inventory(self) -> Inventory:
        return {
            "jobs": self._jobs(),
            "queues": self._queues(),
            "broker users": self._broker_users(),
            "removed from the broker": self._removed(),
        }

    def _removed(self) -> list[str]:
        """What conductors say that they removed from the broker. dbflow leaves nothing there; only a broker that was
        killed may have something again."""
        if self.rabbitmq.killed:
            return []
        return [line for one in self.conductors for line in one.text().splitlines() if REMOVED in line]

    def _jobs(self) -> list[str]:
        client = KazooClient(self.zookeeper.hosts)
        client.start()
        try:
            return sorted(client.get_children("/dbflow/board/jobs"))
        except NoNodeError:
            return []
        finally:
            client.stop()
            client.close()

    def _queues(self) -> list[str]:
        """Of guests; those of our own processes come and go with them."""
        queues = self.rabbitmq.api("GET", "queues")
        return sorted(queue["name"] for queue in queues if ".guest." in queue["name"])

    def _broker_users(self) -> list[str]:
        """Of guests."""
        users = self.rabbitmq.api("GET", "users")
        return sorted(user["name"] for user in users if user["name"].startswith("guest-"))
