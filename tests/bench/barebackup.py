# SPDX-License-Identifier: Apache-2.0
"""What one would type: mariadb-backup | zstd > file, and back: zstd -d | mbstream, prepare, start."""

import contextlib
import dataclasses
import pathlib
import shutil
import subprocess
import time

import pymysql
from pymysql.constants import ER

from dbflow.datastores import Strategy
from guest.datastores.base import Machine, Settings
from guest.datastores.mariadb import backups, config, programs
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.lifecycle import Lifecycle
from guest.datastores.mariadb.server import Server
from tests.bench.standalone import START_TIMEOUT, STOP_TIMEOUT
from tests.servers.ports import LOOPBACK, free_ports

SETTINGS = Settings(1024, 1)
_LEVEL = 1
"""Of zstd: the product's default."""
_MEMORY = "512M"
"""For applying the log: what the product gives it with these settings."""
_ANSWERS = {ER.ACCESS_DENIED_ERROR, 1698}
"""A server that knows who may not log in is up."""


@dataclasses.dataclass(frozen=True)
class Bare:
    """Seconds."""

    backup: float
    restore: float


def measure(layout: Layout, directory: pathlib.Path) -> Bare:
    """Back the server of ``layout`` up to a file, and make a server of that."""
    directory.mkdir(mode=0o755)
    file = directory / "backup.zst"
    try:
        begun = time.monotonic()
        _back_up(layout, directory, file)
        backup = time.monotonic() - begun
        begun = time.monotonic()
        _restore(layout, directory, file)
        return Bare(backup, time.monotonic() - begun)
    finally:
        shutil.rmtree(directory)


def _back_up(layout: Layout, directory: pathlib.Path, file: pathlib.Path) -> None:
    work = directory / "work"
    work.mkdir(mode=0o755)
    client = Client(layout)
    made = backups.Backups(layout, client, Lifecycle(layout, client, Server(layout, client)))
    source = made.source(Strategy.PHYSICAL, None, work)
    with (directory / "log").open("ab") as log:
        reader = subprocess.Popen(
            source.command, stdout=subprocess.PIPE, stderr=log, cwd="/", **programs.as_user(layout.owner)
        )
        subprocess.run(["zstd", "-q", f"-{_LEVEL}", "-o", str(file)], stdin=reader.stdout, check=True)
    if reader.wait() != 0:
        raise RuntimeError((directory / "log").read_text(errors="replace")[-500:])


def _restore(source: Layout, directory: pathlib.Path, file: pathlib.Path) -> None:
    (port,) = free_ports(1)
    volume, run, log = (directory / name for name in ("volume", "run", "logs"))
    layout = Layout.of(Machine("bare", LOOPBACK, port, volume, run, log, source.machine.run_as))
    layout.make_directories()
    layout.data.mkdir(mode=0o700)
    layout.owner.give(layout.data)
    as_user = programs.as_user(layout.owner)
    unpacker = subprocess.Popen(["zstd", "-d", "-q", "-c", str(file)], stdout=subprocess.PIPE)
    extract = [programs.find("mbstream"), "--extract", f"--directory={layout.data}"]
    subprocess.run(extract, **{**as_user, "stdin": unpacker.stdout}, check=True, cwd="/")
    prepare = [programs.find("mariadb-backup"), "--no-defaults", "--prepare", f"--use-memory={_MEMORY}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*prepare, f"--target-dir={layout.data}"], **as_user, **quiet, check=True)
    subprocess.run(["sync", "-f", str(layout.data)], check=True)
    _start(layout)


def _start(layout: Layout) -> None:
    lines = config.render(SETTINGS, layout, layout.disk).splitlines(keepends=True)
    layout.config.write_text("".join(line for line in lines if not line.startswith("init_file")))
    layout.owner.give(layout.config)
    argv = [programs.find("mariadbd"), f"--defaults-file={layout.config}", f"--datadir={layout.data}"]
    with layout.log.open("ab") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/", **programs.as_user(layout.owner))
    try:
        _wait(layout, server)
    finally:
        server.terminate()
        server.wait(STOP_TIMEOUT)


def _wait(layout: Layout, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with contextlib.closing(pymysql.connect(unix_socket=str(layout.socket), user="root", ssl_disabled=True)):
                return
        except pymysql.Error as error:
            if error.args[0] in _ANSWERS:
                return
            time.sleep(0.01)
    raise RuntimeError(f"mariadbd does not start: {layout.log.read_text(errors='replace')[-500:]}")
