# SPDX-License-Identifier: Apache-2.0
"""dbflow-standalone: the whole control plane in one process, with nothing to set up.

SQLite, a jobboard and a broker inside the process, and databases as processes of this machine. The databases and
their agents outlive it; started again on the same directory it finds them and goes on with what was unfinished.
"""

import argparse
import logging
import os
import re
import shutil
import signal
import socket
import subprocess  # nosec B404 - asks mariadbd for its version
import sys
import threading
import time

import waitress
from flask import Flask
from waitress.server import BaseWSGIServer

from conductor.health import HealthBook
from conductor.service import ConductorService
from dbflow.api.app import create_app
from dbflow.api.auth import from_conf
from dbflow.cloud.base import CloudError
from dbflow.cmd.statedir import InUse, StateDir
from dbflow.cmd.wiring import Parts, configure
from dbflow.console.app import ticket_link
from dbflow.crypto import broker_password
from dbflow.db import migrate
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.embedded import EmbeddedBroker
from dbflow.objectstore.directory import Directory
from dbflow.objectstore.file import FileStore
from dbflow.objectstore.server import ObjectServer
from dbflow.services.seed import ensure_datastore
from dbflow.systemd import Systemd

LOG = logging.getLogger(__name__)
_HTTP_THREADS = 96
"""An event stream occupies one while it lasts; [api] max_event_streams of them leave enough for everything else."""
_STOP_WITHIN = 4.0
_QUIET_CHANNEL = 60
"""Seconds after which a connection on which nothing happens is closed; event streams are fed more often."""


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _arguments().parse_args()
    os.umask(0o077)  # what others must reach is opened to them one by one
    state = StateDir(options.state_dir)
    try:
        with state.taken():
            state.write(options.bind, options.port)
            files = [str(state.conf), *options.config_file]
            return _Standalone(state, Parts.from_conf(configure([], files)), options).run()
    except (InUse, CloudError, OSError, ValueError) as error:
        print(f"dbflow-standalone: {error}", file=sys.stderr)
        return 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dbflow-standalone", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--state-dir", required=True, metavar="DIR", help="everything is kept below it")
    parser.add_argument("--bind", default="127.0.0.1", help="address of the API (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8779, help="port of the API (default: %(default)s)")
    parser.add_argument("--conductors", type=int, default=1, metavar="N", help="conductors (default: %(default)s)")
    parser.add_argument("--config-file", action="append", default=[], help="more settings; may be repeated")
    return parser


class _Standalone:
    """The parts, started in order and stopped in the opposite one."""

    def __init__(self, state: StateDir, parts: Parts, options: argparse.Namespace) -> None:
        self._state, self._parts, self._options = state, parts, options
        self._broker = EmbeddedBroker(
            state.broker_socket,
            secret=state.broker_secret,
            exchange=parts.conf.messaging.exchange,
            guest_password=lambda instance_id: broker_password(parts.guest_keys.load(instance_id)),
        )
        self._health = HealthBook(parts.database)
        self._dispatcher: Dispatcher = parts.dispatcher(self._health.note)
        self._conductors: list[tuple[ConductorService, threading.Thread]] = []
        self._stop = threading.Event()
        self._systemd = Systemd()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        migrate.upgrade(self._state.database_url)
        ensure_datastore(self._parts.database, "mariadb", *_mariadb_version(), manager="mariadb", image=None)
        self._prepare_images()
        server, app = self._listen()
        self._serve_objects()
        self._broker.start()
        self._dispatcher.start()
        for index in range(max(1, self._options.conductors)):
            self._conduct(self._health if index == 0 else None)
        self._parts.figures([service for service, _ in self._conductors], self._dispatcher)
        threading.Thread(target=server.run, daemon=True).start()
        base = f"http://{self._options.bind}:{self._options.port}"
        # In one write: who finds the one finds the other, too.
        print(f"ready: {base}\nconsole: {ticket_link(app, base, self._state.admin_token())}", flush=True)
        self._systemd.watch(lambda: all(service.awake for service, _ in self._conductors))
        self._systemd.ready()
        self._stop.wait()
        self._systemd.stopping()
        self._shut_down(server)
        return 0

    def _listen(self) -> tuple[BaseWSGIServer, Flask]:
        listener = socket.create_server((self._options.bind, self._options.port))
        app = create_app(self._parts.services(self._dispatcher), from_conf(self._parts.conf))
        return http_server(listener, app, self._parts.conf.api.max_body), app

    def _serve_objects(self) -> None:
        """Backups come here, and are read from here, where they are kept as files."""
        options = self._parts.conf.object_store
        if options.driver == FileStore.name:
            ObjectServer(Directory(options.directory), options.bind_host, options.bind_port).start()

    def _conduct(self, health: HealthBook | None) -> None:
        service = self._parts.conductor(self._dispatcher, health)
        thread = threading.Thread(target=service.run, name="conductor", daemon=True)
        thread.start()
        self._conductors.append((service, thread))

    def _prepare_images(self) -> None:
        """Data directories to copy from, made on the first start: later creates are quicker for it. Without one an
        instance is made all the same."""
        try:
            self._parts.cloud.prepare()
        except CloudError as error:
            LOG.warning("no prepared data directory: %s", error)

    def _shut_down(self, server: BaseWSGIServer) -> None:
        deadline = time.monotonic() + _STOP_WITHIN
        LOG.info("stopping; databases go on")
        for service, _ in self._conductors:
            service.stop()
        server.close()
        for _, thread in self._conductors:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._dispatcher.stop()
        self._broker.stop()
        self._parts.database.close()
        logging.shutdown()
        os._exit(0)  # steps that were handed over may still hold threads; they are done again at the next start


def http_server(listener: socket.socket, app: Flask, max_body: int) -> BaseWSGIServer:
    """The API's, not yet running. ``max_body``: bytes that the API takes."""
    # Every bit of an event stream goes out at once: send_bytes is how much waitress would gather first.
    return waitress.create_server(
        app,
        sockets=[listener],
        threads=_HTTP_THREADS,
        send_bytes=1,
        ident=None,
        # The API tells who sends too much, and stops reading; this is for those who go on sending.
        max_request_body_size=16 * max_body,
        channel_timeout=_QUIET_CHANNEL,
        asyncore_use_poll=True,  # select() ends the server at 1,024 open files; 500 guests have as many
    )


def _mariadb_version() -> tuple[str, str]:
    """(what users call it, its number) of the server on this machine: ("10.11", "10.11.14")."""
    server = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if server is None:
        raise OSError("mariadbd was not found: install the package mariadb-server-core (or mariadb-server)")
    answer = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=30, check=True)  # nosec B603
    found = re.search(r"(\d+\.\d+)\.\d+", answer.stdout)
    if found is None:
        raise OSError(f"{server} --version says nothing that looks like a version")
    return found[1], found[0]
