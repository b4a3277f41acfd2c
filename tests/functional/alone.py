# SPDX-License-Identifier: Apache-2.0
"""Services one by one, with a database and nothing else: no broker listens, and each has a board of its own."""

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import psutil
import requests

from dbflow.api.auth import TokenFileAuth
from dbflow.crypto import Keyring
from dbflow.db import migrate
from dbflow.db.session import Database
from dbflow.services.seed import ensure_datastore
from tests.functional.stack.process import Service
from tests.servers.ports import free_ports
from tests.waiting import wait_for

ROOT = pathlib.Path(__file__).parents[2]
TOKEN = "token-of-the-owner"
OWNER = {"user": "u", "user_id": "u", "project_id": "p", "project_name": "p", "roles": ["member"]}
WORKERS = 3
CONFIG = """\
[database]
connection = {url}
[security]
key_file = {directory}/keys
[coordination]
driver = embedded
[messaging]
url = amqp://guest:guest@127.0.0.1:{nobody}//
[local_cloud]
state_dir = {directory}/cloud
[object_store]
directory = {directory}/objects
[api]
auth = token_file
token_file = {directory}/tokens.json
bind_port = {api}
workers = {workers}
[metrics]
api_port = {api_metrics}
conductor_port = {conductor_metrics}
"""


def all_workers(api: Service) -> list[psutil.Process]:
    """Of a dbflow-api: it serves from the first one on."""
    master = psutil.Process(api.pid)
    return wait_for(lambda: found if len(found := master.children()) == WORKERS else None, 30, "all workers")


class Alone:
    """A configuration and its database; a context manager that stops what was started."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.url = f"sqlite:///{directory}/dbflow.sqlite"
        self.api_port, self.api_metrics, self.conductor_metrics, nobody = free_ports(4)
        self.conf = directory / "dbflow.conf"
        self.conf.write_text(
            CONFIG.format(
                url=self.url,
                directory=directory,
                nobody=nobody,
                api=self.api_port,
                api_metrics=self.api_metrics,
                conductor_metrics=self.conductor_metrics,
                workers=WORKERS,
            )
        )
        Keyring.create_file(directory / "keys")
        TokenFileAuth.write(directory / "tokens.json", {TOKEN: OWNER})
        migrate.upgrade(self.url)
        with contextlib.closing(Database(self.url)) as database:
            ensure_datastore(database, "mariadb", "10.11", "10.11.14", "mariadb", None)
        self._started: list[Service] = []

    def api(self, environment: Mapping[str, str] | None = None) -> Service:
        """dbflow-api, serving."""
        return self._start(self._command("dbflow-api"), lambda _: self._serves(), environment or {})

    def gunicorn(self) -> Service:
        """dbflow.wsgi under gunicorn's own command, serving."""
        command = ["gunicorn", "--config", str(ROOT / "etc/gunicorn.conf.py"), "dbflow.wsgi:application"]
        return self._start(command, lambda _: self._serves(), {"DBFLOW_CONF": str(self.conf)})

    def conductor(self, environment: Mapping[str, str] | None = None) -> Service:
        """dbflow-conductor, leading."""
        command = self._command("dbflow-conductor")
        return self._start(command, lambda service: "leading" in service.text(), environment or {})

    def get(self, path: str, **headers: str) -> requests.Response:
        """From the API, over a connection of its own, which any worker may take."""
        url = f"http://127.0.0.1:{self.api_port}{path}"
        return requests.get(url, headers={"X-Auth-Token": TOKEN, "Connection": "close", **headers}, timeout=30)

    def figures(self, port: int) -> str:
        """What Prometheus would get."""
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", headers={"Connection": "close"}, timeout=30)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return answer.text

    def _command(self, name: str) -> list[str]:
        return [name, "--config-file", str(self.conf)]

    def _start(
        self, command: Sequence[str], ready: Callable[[Service], bool], environment: Mapping[str, str]
    ) -> Service:
        service = Service(command[0], command, self.directory, ready, environment)
        self._started.append(service)
        service.start()
        return service

    def _serves(self) -> bool:
        try:
            return self.get("/healthcheck?only=").status_code == 200
        except requests.ConnectionError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for service in self._started:
            if service.alive:
                service.stop()
