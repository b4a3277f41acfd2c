# SPDX-License-Identifier: Apache-2.0
"""Servers, guests, several conductors, and a load of operations that never ends before it is told to."""

import base64
import contextlib
import json
import pathlib
import shutil
import tempfile
import threading
from collections.abc import Iterator

import sqlalchemy as sa
from oslo_config import cfg

from dbflow.conf import register
from dbflow.crypto import Keyring, new_message_key
from dbflow.db import migrate
from dbflow.db.models import Conductor, Instance, Operation, new_id
from dbflow.db.session import Database
from dbflow.faults import VARIABLE
from dbflow.jobboard import Boards, BoardUnavailable
from dbflow.operations import ENDED, accept
from dbflow.services.seed import ensure_datastore
from tests.fault.doubleclaim import ledger
from tests.functional.stack.faults import Faults
from tests.functional.stack.process import Service
from tests.guests.process import REPOSITORY, GuestProcess
from tests.servers import MariaDBServer, RabbitMQ, ZooKeeper
from tests.waiting import wait_for

TICK_MS = 200
SESSION = 1.0
"""Seconds; far shorter than anybody would have it, so that a thousand can be lost while one waits."""
CONDUCTORS, GUESTS, IN_FLIGHT = 4, 3, 24
FAILS_EVERY = 5
"""Every so many operations are made to fail at their last step, and are undone."""


class Member:
    """One conductor's process, with faults of its own."""

    def __init__(self, number: int, directory: pathlib.Path, conf: pathlib.Path, database: Database, fenced: bool):
        self.faults = Faults(directory / f"faults-{number}")
        self._session, self._database = directory / f"session-{number}", database
        arguments = ["python", "-m", "tests.fault.doubleclaim.conductor", str(conf), str(self._session)]
        environment = {VARIABLE: str(self.faults.directory), "PYTHONPATH": str(REPOSITORY)}
        self.service = Service(
            f"conductor-{number}", arguments + ["unfenced"] * (not fenced), directory, self._conducts, environment
        )

    def _conducts(self, service: Service) -> bool:
        with self._database.read() as session:
            return any(row.pid == service.pid for row in session.scalars(sa.select(Conductor)))

    def session(self) -> tuple[int, bytes] | None:
        """ZooKeeper's id and password of its session; None before the first."""
        if not self._session.exists():
            return None
        number, password = json.loads(self._session.read_text())
        return number, bytes.fromhex(password)

    def unfinished(self) -> int:
        """Operations that it was the last to claim, and that have not ended."""
        query = sa.select(sa.func.count()).select_from(Operation)
        mine = Operation.conductor.like(f"%:{self.service.pid}:%")
        with self._database.read() as session:
            return session.scalar(query.where(mine, Operation.state.not_in(ENDED))) or 0


class Field:
    """A context manager: it leaves nothing behind."""

    def __init__(self, *, fenced: bool = True) -> None:
        """``fenced``: False to see what happens without the fence."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="dbflow-claims-"))
        self.directory.chmod(0o755)
        self._parts = contextlib.ExitStack()
        self._fenced = fenced
        self.accepted: list[tuple[str, bool, pathlib.Path]] = []
        """Operation's id, whether it is to fail, and where its guest writes."""

    def __enter__(self) -> "Field":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self) -> None:
        ledger.register()
        self.zookeeper = self._parts.enter_context(ZooKeeper(self.directory, tick_ms=TICK_MS))
        self._parts.callback((rabbitmq := RabbitMQ(self.directory).start()).kill)
        mariadb = self._parts.enter_context(MariaDBServer(self.directory))
        url = mariadb.create_database("dbflow")
        migrate.upgrade(url)
        self.database = Database(url)
        self._parts.callback(self.database.close)
        ledger.create_table(self.database.engine)
        Keyring.create_file(self.directory / "keys")
        self._keyring = Keyring.from_file(self.directory / "keys")
        conf = self._configuration(url, rabbitmq.url())
        self.guests = [self._guest(rabbitmq.url()) for _ in range(GUESTS)]
        self.members = [
            Member(number, self.directory, conf, self.database, self._fenced) for number in range(CONDUCTORS)
        ]
        for member in self.members:
            member.service.begin()
            self._parts.callback(member.service.kill9)
        for member in self.members:
            member.service.wait_ready()

    def _configuration(self, database: str, broker: str) -> pathlib.Path:
        groups = {
            "database": {"connection": database, "idle_transaction_timeout": 1},
            "security": {"key_file": self.directory / "keys"},
            "coordination": {"hosts": self.zookeeper.hosts, "session_timeout": SESSION},
            "messaging": {"url": broker, "resend": 0.4},
            "local_cloud": {"state_dir": self.directory / "cloud"},
            "conductor": {"max_attempts": 100_000, "outbox_interval": 1.0},
        }
        lines = []
        for group, options in groups.items():
            lines.append(f"[{group}]")
            lines += [f"{name} = {str(value).replace('$', '$$')}" for name, value in options.items()]
        path = self.directory / "dbflow.conf"
        path.touch(0o600)
        path.write_text("\n".join(lines) + "\n")
        return path

    def _guest(self, broker: str) -> GuestProcess:
        """A real agent, whose instance exists in SQL only."""
        version = ensure_datastore(self.database, "mariadb", "10.11", "10.11.1", manager="mariadb", image=None)
        key = new_message_key()
        sealed = self._keyring.seal(base64.b64encode(key).decode())
        instance = Instance(
            id=new_id(), name="g", project_id="p", user_id="u", datastore_version_id=version, flavor_id="1",
            guest_key=sealed,
        )  # fmt: skip
        instance_id = instance.id
        with self.database.write() as session:
            session.add(instance)
        guest = GuestProcess(self.directory, instance_id, key, broker, "dbflow")
        guest.start()
        self._parts.callback(guest.kill)
        return guest

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        """Operations in flight, always as many, until the end of the block."""
        conf = register(cfg.ConfigOpts())
        conf([], project="dbflow", default_config_files=[])
        conf.set_override("hosts", self.zookeeper.hosts, group="coordination")
        poster = Boards(conf).poster()
        stopped = threading.Event()

        def keep_up() -> None:
            while not stopped.is_set():
                for _ in range(IN_FLIGHT - self.unfinished()):
                    with contextlib.suppress(BoardUnavailable):  # the leader posts it later
                        poster.post(self._accept())
                stopped.wait(0.02)

        thread = threading.Thread(target=keep_up)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
            poster.close()

    def _accept(self) -> Operation:
        number = len(self.accepted)
        guest = self.guests[number % GUESTS]
        path, fails = self.directory / f"lines-{number}", number % FAILS_EVERY == 0
        with self.database.write() as session:
            operation = accept(
                session, self._keyring, ledger.KIND, target_id=guest.instance_id, project_id="p", user_id="u",
                request_id=None, arguments={"path": str(path), "fails": fails},
            )  # fmt: skip
        self.accepted.append((operation.id, fails, path))
        return operation

    def unfinished(self) -> int:
        """Operations that have not ended."""
        query = sa.select(sa.func.count()).select_from(Operation).where(Operation.state.not_in(ENDED))
        with self.database.read() as session:
            return session.scalar(query) or 0

    def finish(self, timeout: float = 180.0) -> None:
        """Wait until every operation has ended and the board is empty."""
        wait_for(lambda: not self.unfinished(), timeout, "the end of all operations")

    def said(self, words: str) -> int:
        """How many lines of all conductors have these words in them."""
        return sum(line.count(words) for member in self.members for line in member.service.text().splitlines())

    def guests_said(self, words: str) -> int:
        """The same of the guests."""
        return sum(guest.log.count(words) for guest in self.guests)
