# SPDX-License-Identifier: Apache-2.0
"""dbflow-standalone: everything in one process."""

import configparser
import contextlib
import json
import pathlib

from dbflow.db.session import Database
from tests.functional.stack.base import Settings, Stack
from tests.functional.stack.client import PATIENCE, Client
from tests.functional.stack.inventory import Inventory, of_broker
from tests.functional.stack.process import Service
from tests.servers import ports
from tests.waiting import wait_for


class EmbeddedStack(Stack):
    """Started again on the same directory it is the same dbflow."""

    kind = "embedded"

    def __init__(self, images: pathlib.Path, settings: Settings | None = None) -> None:
        super().__init__(images, settings)
        self.state = self.directory / "s"
        port, objects = ports.free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        more = self.write_settings(self.directory / "more.conf", {"object_store": {"bind_port": objects}})
        arguments = [*self.command, "--state-dir", self.state, "--port", port, "--config-file", more]
        self.process = self.service("standalone", [str(part) for part in arguments], self._ready)
        self._ready_before = 0

    @property
    def command(self) -> list[str]:
        """What is started, before its options."""
        return ["dbflow-standalone"]

    @property
    def cloud(self) -> pathlib.Path:
        return (self.state / "cloud").resolve()

    @property
    def objects(self) -> pathlib.Path:
        return self.state / "objects"

    @property
    def services(self) -> list[Service]:
        return [self.process]

    def client(self) -> Client:
        return self._client("dbflow")

    def admin(self) -> Client:
        return self._client("dbflow-admin")

    def _client(self, cloud: str) -> Client:
        auth = json.loads((self.state / "clouds.yaml").read_text())["clouds"][cloud]["auth"]
        return Client(auth["endpoint"], auth["token"])

    def database(self) -> Database:
        return Database(f"sqlite:///{self.state}/dbflow.sqlite")

    def start(self) -> None:
        if not self.process.alive:
            self._ready_before = self.process.text().count("ready: ")
            self.process.start()

    def bury(self, point: str) -> None:
        wait_for(lambda: not self.process.alive, PATIENCE, f"the end of the process at {point}")
        self.start()

    def kill_runner(self, operation_id: str) -> None:
        self.process.kill9()
        self.start()

    def _ready(self, process: Service) -> bool:
        return process.text().count("ready: ") > self._ready_before

    def parts_inventory(self) -> Inventory:
        """Asked of the running process, since board and broker are inside it."""
        jobs = self.admin().ask("GET", "/mgmt/jobs")["jobs"]
        with contextlib.closing(self.database()) as database:
            queues = of_broker(database, self._broker(), "dbflow")
        return {"jobs": sorted(job["operation_id"] for job in jobs), **queues}

    def _broker(self) -> str:
        """Its URL, as the services know it."""
        written = configparser.ConfigParser(interpolation=None)
        written.read(self.state / "dbflow.conf")
        return written["messaging"]["url"].replace("$$", "$")

    def logs(self) -> list[pathlib.Path]:
        return [*super().logs(), self.state / "dbflow.log"]

    def close(self) -> None:
        if self.process.alive:
            self.process.stop()

    def tell(self) -> str:
        log = self.state / "dbflow.log"
        return super().tell() + ("\n".join(log.read_text().splitlines()[-60:]) if log.exists() else "")
