# SPDX-License-Identifier: Apache-2.0
"""``guests``: what idle guests cost a conductor, the database and the broker; a guest task's round trip."""

import argparse
import base64
import contextlib
import dataclasses
import json
import logging
import pathlib
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import psutil
import sqlalchemy as sa
from oslo_config import cfg

from dbflow.conf import register
from dbflow.crypto import Keyring, new_message_key
from dbflow.db import migrate
from dbflow.db.models import Health, Instance, new_id
from dbflow.db.session import Database
from dbflow.messaging.connection import EMBEDDED, with_login
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.embedded.rights import CONTROL
from dbflow.messaging.logins import logins
from dbflow.services.seed import ensure_datastore
from guest.tasks.status import Ping
from tests.bench import bare, report
from tests.bench.conductors import Conductors
from tests.bench.contenders import sqlite_url
from tests.bench.crowd import Crowd, Member
from tests.bench.places import directory
from tests.descriptors import allow
from tests.guests.process import GuestProcess
from tests.servers import MariaDBServer, RabbitMQ, ZooKeeper
from tests.waiting import wait_for

BROKERS = ("RabbitMQ", "embedded")
A_PROCESS = 250
"""Guests in one."""
FILES = 8
"""Open ones a guest, at most: of its process, and of the broker's."""
PATIENCE = 180.0
WRITES = ("Com_insert", "Com_update", "Com_delete", "Com_commit")


@dataclasses.dataclass(frozen=True)
class Place:
    """A broker, a database, and what a conductor is told of them."""

    broker: str
    url: str
    management_url: str | None
    database: Database
    keys: pathlib.Path
    conf: pathlib.Path
    broker_pid: int


@dataclasses.dataclass(frozen=True)
class Found:
    """Of one broker."""

    broker: str
    cpu: float
    """Per cent of a processor that the conductor takes for the guests: more than without them."""
    cpu_alone: float
    """Without them."""
    memory: float
    """MiB of the conductor."""
    writes: float | None
    """Statements that change something and commits, a second; None where nobody counts them."""
    broker_memory: float
    """KiB of the broker a guest."""
    broker_cpu: float
    ping_ms: tuple[float, float]
    """p50, p99 of a guest task that changes nothing."""
    bare_ms: tuple[float, float]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--guests", type=int, default=1000, help="how many (%(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of idleness (%(default)s)")
    parser.add_argument("--interval", type=float, help="seconds between heartbeats (the product's default)")
    parser.add_argument("--calls", type=int, default=300, help="round trips (%(default)s)")
    parser.add_argument("--brokers", nargs="+", choices=BROKERS, default=BROKERS, help="which (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    allow(FILES * max(options.guests, A_PROCESS))
    options.interval = options.interval or _conf().messaging.heartbeat_interval
    found = []
    with directory("guests") as base:
        for broker in options.brokers:
            with _place(base / broker, broker) as place:
                found.append(_measure(place, options))
    _print(found, options)


def _conf() -> cfg.ConfigOpts:
    conf = register(cfg.ConfigOpts())
    conf([], project="dbflow", default_config_files=[])
    return conf


@contextlib.contextmanager
def _place(base: pathlib.Path, broker: str) -> Iterator[Place]:
    base.mkdir(mode=0o755)
    keys = base / "keys"
    Keyring.create_file(keys)
    with contextlib.ExitStack() as stack:
        management = None
        if broker == "RabbitMQ":
            rabbitmq = RabbitMQ(base).start()
            stack.callback(rabbitmq.kill)
            mariadb, zookeeper = stack.enter_context(MariaDBServer(base)), stack.enter_context(ZooKeeper(base))
            url, management, pid = rabbitmq.url(), rabbitmq.management_url, rabbitmq.pid
            database_url, coordination = mariadb.create_database("dbflow"), f"hosts = {zookeeper.hosts}"
        else:
            path, secret = str(base / "s" / "broker"), secrets.token_urlsafe(16)
            database_url, coordination = sqlite_url(base / "dbflow.sqlite"), "driver = embedded"
            url = with_login(f"{EMBEDDED}{path}", CONTROL, secret)
        migrate.upgrade(database_url)
        database = Database(database_url)
        stack.callback(database.close)
        if broker != "RabbitMQ":
            given = {"path": path, "secret": secret, "database": database_url, "keys": str(keys)}
            pid = stack.enter_context(_process("tests.bench.brokerhost", json.dumps(given))).pid
        conf = base / "dbflow.conf"
        lines = ["[database]", f"connection = {database_url}", "[security]", f"key_file = {keys}", "[coordination]"]
        lines += [coordination, "[local_cloud]", f"state_dir = {base}/cloud", "[messaging]", f"url = {url}"]
        lines += [f"management_url = {management}"] if management else []
        conf.write_text("\n".join(line.replace("$", "$$") for line in lines) + "\n")
        yield Place(broker, url, management, database, keys, conf, pid)


@contextlib.contextmanager
def _process(module: str, given: str) -> Iterator["subprocess.Popen[str]"]:
    """One that reads a line, says that it is ready, and goes when its input ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-m", module], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{given}\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{module} did not start")
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(30)


def _measure(place: Place, options: argparse.Namespace) -> Found:
    with contextlib.ExitStack() as stack:
        conductors = stack.enter_context(Conductors(place.conf, place.database, 64))
        conductors.add()
        time.sleep(options.seconds / 10)
        cpu_alone, _ = conductors.idle(options.seconds / 3)
        own = logins(place.url, "dbflow", place.management_url)
        members = _record(place, options.guests + 1)
        dispatcher = _dispatcher(place, members, own)
        stack.callback(dispatcher.stop)
        with futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(dispatcher.declare_guest, [member.instance_id for member in members]))
        before = _resident(place)
        real, *crowd = members
        for number in range(0, len(crowd), A_PROCESS):
            stack.enter_context(_crowd(place, crowd[number : number + A_PROCESS], options))
        wait_for(lambda: _heard(place) >= len(crowd), PATIENCE, "a heartbeat of every guest")
        time.sleep(options.interval)  # what came with the beginning has passed
        cpu, memory, writes, broker_cpu = _idle(place, conductors, options.seconds)
        broker_memory = (_resident(place) - before) / 1024 / len(crowd)
        agent = GuestProcess(place.conf.parent, real.instance_id, base64.b64decode(real.key), real.url, "dbflow")
        agent.start()
        stack.callback(agent.kill)
        pings = _pings(dispatcher, real.instance_id, options.calls)
        with _process("tests.bench.bare", place.url):
            floor = bare.round_trips(place.url, options.calls)
    return Found(
        place.broker, cpu - cpu_alone, cpu_alone, memory, writes, broker_memory, broker_cpu, _ms(pings), _ms(floor)
    )


def _record(place: Place, count: int) -> list[Member]:
    """Instances with keys of their own, in SQL as a create leaves them."""
    keyring = Keyring.from_file(place.keys)
    version = ensure_datastore(place.database, "mariadb", "10.11", "10.11.14", "mariadb", None)
    own = logins(place.url, "dbflow", place.management_url)
    rows, members = [], []
    for number in range(count):
        instance_id, key = new_id(), new_message_key()
        text = base64.b64encode(key).decode()
        members.append(Member(instance_id, text, own.url(instance_id, key)))
        rows.append(
            {
                "id": instance_id,
                "name": f"bench-{number}",
                "project_id": "bench",
                "user_id": "bench",
                "datastore_version_id": version,
                "flavor_id": "1",
                "server_id": instance_id,
                "guest_key": keyring.seal(text),
            }
        )
    with place.database.write() as session:
        session.execute(sa.insert(Instance), rows)
    return members


def _dispatcher(place: Place, members: list[Member], own: Any) -> Dispatcher:
    keys = {member.instance_id: base64.b64decode(member.key) for member in members}
    made = Dispatcher(place.url, "dbflow", f"bench-{new_id()}", keys.__getitem__, logins=own)
    made.start()
    wait_for(lambda: made.ready, 30, "the broker")
    return made


def _crowd(place: Place, members: list[Member], options: argparse.Namespace) -> Any:
    root = place.conf.with_name(f"crowd-{members[0].instance_id}")
    root.mkdir()
    crowd = Crowd(members, "dbflow", options.interval, str(root))
    return _process("tests.bench.crowd", json.dumps(dataclasses.asdict(crowd)))


def _heard(place: Place) -> int:
    with place.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Health)) or 0


def _idle(place: Place, conductors: Conductors, seconds: float) -> tuple[float, float, float | None, float]:
    """(CPU % and MiB of the conductor, SQL writes a second, CPU % of the broker)."""
    broker = psutil.Process(place.broker_pid)
    writes, used = _written(place), sum(broker.cpu_times()[:2])
    began = time.monotonic()
    cpu, memory = conductors.idle(seconds)
    took = time.monotonic() - began
    broker_cpu = 100 * (sum(broker.cpu_times()[:2]) - used) / took
    return cpu, memory, None if writes is None else ((_written(place) or 0) - writes) / took, broker_cpu


def _written(place: Place) -> int | None:
    if place.database.engine.dialect.name == "sqlite":
        return None
    names = ", ".join(f"'{name}'" for name in WRITES)
    with place.database.engine.connect() as connection:
        rows = connection.execute(sa.text(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")).all()
    return sum(int(value) for _, value in rows)


def _resident(place: Place) -> int:
    """Bytes of the broker's process."""
    return int(psutil.Process(place.broker_pid).memory_info().rss)


def _pings(dispatcher: Dispatcher, instance_id: str, count: int) -> list[float]:
    task = Ping().path()
    dispatcher.call(instance_id, task, {}, 60)
    took = []
    for _ in range(count):
        asked = time.monotonic()
        dispatcher.call(instance_id, task, {}, 30)
        took.append(time.monotonic() - asked)
    return took


def _ms(seconds: list[float]) -> tuple[float, float]:
    return 1000 * report.percentile(seconds, 50), 1000 * report.percentile(seconds, 99)


def _print(found: list[Found], options: argparse.Namespace) -> None:
    rows = [
        [one.broker, one.cpu, one.cpu_alone, one.memory, "-" if one.writes is None else one.writes,
         one.broker_memory, one.broker_cpu]
        for one in found
    ]  # fmt: skip
    columns = ["", "CPU % for them", "CPU % without", "MiB", "SQL writes/s", "broker KiB a guest", "broker CPU %"]
    title = f"A conductor with {options.guests:,} idle guests, a heartbeat every {options.interval:g} s each"
    report.print_table(title, columns, rows)
    rows = [[one.broker, *one.ping_ms, *one.bare_ms] for one in found]
    report.print_table("Round trips, ms", ["", "task p50", "task p99", "bare kombu p50", "bare kombu p99"], rows)
    print(report.machine())
    figures: dict[str, object] = {"bench": "guests", "guests": options.guests}
    for one in found:
        name = one.broker.lower()
        figures |= {
            f"conductor_cpu_percent_{name}": one.cpu,
            f"conductor_mib_{name}": one.memory,
            f"broker_kib_a_guest_{name}": one.broker_memory,
            f"task_p50_ms_{name}": one.ping_ms[0],
            f"task_p99_ms_{name}": one.ping_ms[1],
            f"bare_p50_ms_{name}": one.bare_ms[0],
        }
        if one.writes is not None:
            figures["sql_writes_per_s"] = one.writes
    report.print_json(figures)
