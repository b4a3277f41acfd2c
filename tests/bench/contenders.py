# SPDX-License-Identifier: Apache-2.0
"""Ten durable steps in a row, as dbflow, stock TaskFlow and DBOS do them."""

import contextlib
import functools
import importlib
import importlib.util
import pathlib
import sqlite3
from collections.abc import Callable
from concurrent import futures
from typing import Any, Protocol, cast

from oslo_config import cfg
from taskflow import engines, task
from taskflow.patterns import linear_flow
from taskflow.persistence import models
from taskflow.persistence.backends import impl_sqlalchemy

from conductor.control import Control
from conductor.runner import Job, Runner
from dbflow.cloud.base import Cloud
from dbflow.conf import register
from dbflow.crypto import Keyring
from dbflow.db.models import Operation, new_id
from dbflow.db.session import Database
from dbflow.guestkeys import GuestKeys
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.metrics import Metrics
from dbflow.operations import Kind, accept
from dbflow.persistence.tables import METADATA
from flows.registry import REGISTRY, Definition
from flows.tasks.base import LocalTask

STEPS = 10
STOCK = "TaskFlow"
KIND = "bench.steps"


class Contender(Protocol):
    """A way to run flows whose every step is on disk when the next one begins."""

    name: str

    def one(self) -> None:
        """Record a flow, run it to its end."""

    def close(self) -> None:
        """Free what it holds."""


def run(contender: Contender, flows: int, in_flight: int) -> None:
    """Run that many flows, ``in_flight`` at a time."""
    with futures.ThreadPoolExecutor(in_flight) as pool:
        for done in [pool.submit(contender.one) for _ in range(flows)]:
            done.result()


def sqlite_url(path: pathlib.Path) -> str:
    """A fresh SQLite file in WAL mode, which the file remembers for every contender; all of them have
    ``synchronous`` at FULL. Without the time-out stock TaskFlow fails at once when two flows write."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode=wal")
    return f"sqlite:///{path}?timeout=120"


class _Step(LocalTask):
    """Hands its number on, plus one."""

    def execute(self, before: int) -> int:
        return before + 1


class _StockStep(task.Task):
    """The same for stock TaskFlow."""

    def execute(self, before: int) -> int:
        return before + 1


def _flow(step: Callable[..., task.Task]) -> linear_flow.Flow:
    flow = linear_flow.Flow(KIND)
    for number in range(STEPS):
        flow.add(step(f"step-{number}", provides=f"n{number + 1}", rebind=[f"n{number}"]))
    return flow


class Dbflow:
    """An operation: accepted, claimed, fenced, run by the conductor's runner to the operation's end."""

    name = "dbflow"
    kind = KIND

    def __init__(self, url: str, keys: pathlib.Path) -> None:
        conf = register(cfg.ConfigOpts())
        conf([], project="dbflow", default_config_files=[])
        Keyring.create_file(keys)
        self._database, self._keyring = Database(url), Keyring.from_file(keys)
        METADATA.create_all(self._database.engine)
        # Neither cloud nor guests are called by these steps.
        nobody: Any = object()
        self._runner = Runner(
            conf,
            self._database,
            self._keyring,
            GuestKeys(self._database, self._keyring),
            cast(Cloud, nobody),
            cast(Dispatcher, nobody),
            Metrics(),
        )

    def one(self) -> None:
        _register()
        with self._database.write() as session:
            operation = accept(
                session,
                self._keyring,
                self.kind,
                target_id=new_id(),
                project_id="bench",
                user_id="bench",
                request_id=None,
                arguments={"n0": 0},
            )
        if self._runner.run(operation.id, None, "bench", Control()) is not Job.CONSUME:
            raise RuntimeError("the flow was given back")
        with self._database.read() as session:
            if session.get_one(Operation, operation.id).state != "SUCCESS":
                raise RuntimeError("the flow failed")

    def close(self) -> None:
        self._database.close()


@functools.cache
def _register() -> None:
    kind = Kind(KIND, "Steps", 1, "NORMAL", "instance", "RESIZING")
    REGISTRY.add(Definition(kind, lambda _arguments: _flow(_Step), lambda _session, _ending: None, {}))


class Stock:
    """TaskFlow with its own SQLAlchemy persistence."""

    def __init__(self, url: str, engine: str) -> None:
        self.name = f"{STOCK} {engine}"
        self._engine = engine
        self._backend = impl_sqlalchemy.SQLAlchemyBackend({"connection": url, "max_pool_size": 30})
        # A pool of its own costs a parallel engine a second at its end.
        self._threads = futures.ThreadPoolExecutor(32)
        with contextlib.closing(self._backend.get_connection()) as connection:
            connection.upgrade()

    def one(self) -> None:
        book = models.LogBook(KIND)
        detail = models.FlowDetail(KIND, new_id())
        book.add(detail)
        with contextlib.closing(self._backend.get_connection()) as connection:
            connection.save_logbook(book)
        options = {"executor": self._threads} if self._engine == "parallel" else {}
        engine = engines.load(
            _flow(_StockStep),
            store={"n0": 0},
            flow_detail=detail,
            book=book,
            backend=self._backend,
            engine=self._engine,
            **options,
        )
        engine.run()
        if engine.storage.get_flow_state() != "SUCCESS":
            raise RuntimeError("the flow failed")

    def close(self) -> None:
        self._threads.shutdown()
        self._backend.close()


def has_dbos() -> bool:
    """Whether the package dbos is installed."""
    return importlib.util.find_spec("dbos") is not None


class Dbos:
    """A DBOS workflow of steps."""

    name = "DBOS"

    def __init__(self, url: str) -> None:
        self._dbos = importlib.import_module("dbos").DBOS
        self._dbos(config={"name": "bench", "system_database_url": url, "log_level": "ERROR", "sys_db_pool_size": 30})

        @self._dbos.step()
        def step(before: int) -> int:
            return before + 1

        @self._dbos.workflow()
        def workflow() -> int:
            number = 0
            for _ in range(STEPS):
                number = step(number)
            return number

        self._workflow = workflow
        self._dbos.launch()

    def one(self) -> None:
        if self._workflow() != STEPS:
            raise RuntimeError("the workflow failed")

    def close(self) -> None:
        self._dbos.destroy(destroy_registry=True)
