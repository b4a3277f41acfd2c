# SPDX-License-Identifier: Apache-2.0
"""dbflow-api with its database, and the rows that are listed."""

import contextlib
import datetime
import pathlib
import secrets
import subprocess
import sys
import types
from collections.abc import Iterator
from typing import Any, Self

import psutil
import sqlalchemy as sa
from oslo_config import cfg

from dbflow.api.app import create_app
from dbflow.api.auth import TokenFileAuth, from_conf
from dbflow.cmd.wiring import Parts
from dbflow.conf import register
from dbflow.crypto import Keyring
from dbflow.db import migrate
from dbflow.db.models import Health, Instance, new_id, utcnow
from dbflow.db.session import Database
from dbflow.messaging.embedded import EmbeddedBroker
from dbflow.services.seed import ensure_datastore
from tests.bench.standalone import SETTINGS, STOP_TIMEOUT
from tests.servers.ports import free_ports, is_open
from tests.waiting import wait_for

LISTED = "bench"
"""The project whose instances are listed."""
POSTING = [f"post-{number}" for number in range(16)]
"""Projects that create: with a few instances each, as projects have that have a quota."""
BATCH = 2000
CONF = """\
[database]
connection = {database}
[security]
key_file = {keys}
[coordination]
{coordination}
[messaging]
url = {broker}
[local_cloud]
state_dir = {base}/cloud
[api]
auth = token_file
token_file = {tokens}
bind_port = {port}
workers = {workers}
{settings}
"""


class ApiServer:
    """gunicorn, as dbflow-api starts it; nobody takes the jobs that are posted."""

    def __init__(self, base: pathlib.Path, database_url: str, coordination: str, workers: int) -> None:
        self.tokens = {project: secrets.token_urlsafe(24) for project in (LISTED, *POSTING)}
        (self.port,) = free_ports(1)
        self.database = Database(database_url)
        self._broker = EmbeddedBroker(base / "broker" / "socket")
        self._log = base / "api.log"
        self.conf = base / "api.conf"
        keys, tokens = base / "keys", base / "tokens.json"
        self.conf.write_text(
            CONF.format(
                database=database_url.replace("$", "$$"),
                keys=keys,
                coordination=coordination,
                broker=self._broker.url,
                base=base,
                tokens=tokens,
                port=self.port,
                workers=workers,
                settings=SETTINGS.removeprefix("[api]\n"),
            )
        )
        Keyring.create_file(keys)
        TokenFileAuth.write(tokens, {token: _who(project) for project, token in self.tokens.items()})
        migrate.upgrade(database_url)
        self._version = ensure_datastore(self.database, "mariadb", "10.11", "10.11.14", "mariadb", None)
        self._count = 0

    def __enter__(self) -> Self:
        self._broker.start()
        argv = [sys.executable, "-c", "import sys; from dbflow.cmd.api import main; sys.exit(main())"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*argv, "--config-file", str(self.conf)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        wait_for(lambda: is_open(self.port), 60, "dbflow-api")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(STOP_TIMEOUT)
        self._broker.stop()
        self.database.close()

    def processor_time(self) -> float:
        """Seconds that the workers have used so far."""
        times = [process.cpu_times() for process in psutil.Process(self._process.pid).children()]
        return sum(one.user + one.system for one in times)

    def statements_of(self, path: str) -> int:
        """How many SQL statements a GET costs, counted in an application of this process."""
        conf = register(cfg.ConfigOpts())
        conf([], project="dbflow", default_config_files=[str(self.conf)])
        parts = Parts.from_conf(conf)
        client = create_app(parts.services(parts.dispatcher()), from_conf(conf)).test_client()
        with contextlib.closing(parts.database), _counting(parts.database) as statements:
            answer = client.get(path, headers={"X-Auth-Token": self.tokens[LISTED]})
        if answer.status_code != 200:
            raise RuntimeError(f"GET {path}: {answer.status}")
        return len(statements)

    def fill(self, count: int) -> None:
        """Insert instances until there are ``count``."""
        while self._count < count:
            numbers = range(self._count, min(count, self._count + BATCH))
            instances = [self._instance(number) for number in numbers]
            with self.database.write() as session:
                session.execute(sa.insert(Instance), instances)
                session.execute(sa.insert(Health), [_health(row["id"]) for row in instances])
            self._count = numbers.stop

    def _instance(self, number: int) -> dict[str, Any]:
        address = f"127.16.{number >> 8 & 255}.{number & 255}"
        return {
            "id": new_id(),
            "name": f"bench-{number}",
            "project_id": LISTED,
            "user_id": "bench",
            "created": datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=number),
            "datastore_version_id": self._version,
            "flavor_id": "1",
            "ram": 256,
            "volume_size": 1,
            "quota_volume": 1,
            "region": "RegionOne",
            "addresses": [{"address": address, "type": "private"}],
        }

    def some_ids(self, count: int) -> list[str]:
        """Of instances that are listed, spread over all of them."""
        with self.database.read() as session:
            ids = list(
                session.scalars(sa.select(Instance.id).where(Instance.project_id == LISTED).order_by(Instance.id))
            )
        return ids[:: max(1, len(ids) // count)][:count]


def _who(project: str) -> dict[str, Any]:
    return {"user": project, "user_id": project, "project_id": project, "project_name": project, "roles": ["member"]}


def _health(instance_id: str) -> dict[str, Any]:
    return {
        "instance_id": instance_id,
        "seen": utcnow() + datetime.timedelta(hours=1),
        "service_status": "HEALTHY",
        "volume_used": 0.1,
        "volume_total": 1.0,
    }


@contextlib.contextmanager
def _counting(database: Database) -> Iterator[list[str]]:
    """The statements that are executed meanwhile; beginning a transaction is none."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    yield seen
