# SPDX-License-Identifier: Apache-2.0
"""The same database server made by hand: mariadb-install-db, mariadbd, wait until it answers."""

import contextlib
import dataclasses
import pathlib
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator

import psutil
import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from guest.datastores.base import Machine, Settings
from guest.datastores.mariadb import config, programs
from guest.datastores.mariadb.layout import Layout
from tests.bench.standalone import START_TIMEOUT, STOP_TIMEOUT
from tests.servers.ports import LOOPBACK, free_ports

POLL = 0.01
"""Seconds between two attempts to connect."""


@dataclasses.dataclass(frozen=True)
class Made:
    """What it took, seconds."""

    install: float
    start: float
    """Until SELECT 1 was answered."""
    processor: float
    """Processor time of the programs."""

    @property
    def total(self) -> float:
        return self.install + self.start


@contextlib.contextmanager
def made(directory: pathlib.Path, settings: Settings, run_as: str | None) -> Iterator[Made]:
    """The server has the configuration, the memory and the user that the product's would have; it is gone at the
    end."""
    layout = _layout(directory, run_as)
    used = _processor_time_of_children()
    begun = time.monotonic()
    _install(layout, settings)
    installed = time.monotonic()
    used = _processor_time_of_children() - used
    with _serving(layout) as server:
        ended = time.monotonic()
        times = psutil.Process(server.pid).cpu_times()
        yield Made(installed - begun, ended - installed, used + times.user + times.system)
    shutil.rmtree(directory)


def _processor_time_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _layout(directory: pathlib.Path, run_as: str | None) -> Layout:
    directory.mkdir(mode=0o755)
    (port,) = free_ports(1)
    volume, run, log = (directory / name for name in ("volume", "run", "log"))
    layout = Layout.of(Machine("by-hand", LOOPBACK, port, volume, run, log, run_as))
    layout.make_directories()
    return layout


def _install(layout: Layout, settings: Settings) -> None:
    lines = config.render(settings, layout, layout.disk).splitlines(keepends=True)
    # dbflow's own administrator is not part of a server made by hand; root of the socket stands in for it.
    layout.config.write_text("".join(line for line in lines if not line.startswith("init_file")))
    layout.data.mkdir(mode=0o700)
    for path in (layout.config, layout.data):
        layout.owner.give(path)
    argv = [programs.find("mariadb-install-db"), f"--defaults-file={layout.config}", f"--datadir={layout.data}"]
    argv += ["--skip-test-db", "--auth-root-authentication-method=normal"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd="/", **programs.as_user(layout.owner))


@contextlib.contextmanager
def _serving(layout: Layout) -> Iterator["subprocess.Popen[bytes]"]:
    argv = [programs.find("mariadbd"), f"--defaults-file={layout.config}", f"--datadir={layout.data}"]
    with layout.log.open("ab") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/", **programs.as_user(layout.owner))
    try:
        _wait(layout, server)
        yield server
    finally:
        server.terminate()
        server.wait(STOP_TIMEOUT)


def _wait(layout: Layout, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with _connect(layout) as session, session.cursor() as cursor:
                cursor.execute("SELECT 1")
            return
        except pymysql.Error:
            time.sleep(POLL)
    raise RuntimeError(f"mariadbd does not start: {layout.log.read_text(errors='replace')[-500:]}")


def _connect(layout: Layout) -> "Connection[Cursor]":
    return pymysql.connect(unix_socket=str(layout.socket), user="root", ssl_disabled=True)
