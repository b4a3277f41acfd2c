# SPDX-License-Identifier: Apache-2.0
"""``dbflow-guest --config-dir DIR``: the agent beside a database server.

SIGTERM stops it within 10 seconds; the database server goes on.
"""

import argparse
import functools
import logging
import os
import pathlib
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence

from dbflow import faults, logcontext, plugins
from dbflow.systemd import Systemd
from guest import attached, disk
from guest.agent import Agent
from guest.datastores.base import Datastore
from guest.heartbeat import Heart
from guest.journal import Journal
from guest.settings import BadSettings, Settings, load
from guest.volume import Volume

LOG = logging.getLogger("guest")
PLUG_INS = "dbflow.guest.datastores"
GRACE = 10.0
"""Seconds that running tasks have to end after SIGTERM."""
JOURNAL = ".dbflow-journal.sqlite"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 0, or 1 when it can't start."""
    parser = argparse.ArgumentParser(prog="dbflow-guest", description="The agent beside a database server.")
    parser.add_argument("--config-dir", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--debug", action="store_true", help="log more")
    options = parser.parse_args(argv)
    logcontext.install()
    logging.basicConfig(
        level=logging.DEBUG if options.debug else logging.INFO,
        format=logcontext.FORMAT,
        datefmt=logcontext.DATES,
        stream=sys.stderr,
    )
    for chatty in ("amqp", "kombu", "taskflow"):  # at DEBUG they show messages and arguments
        logging.getLogger(chatty).setLevel(logging.WARNING)
    systemd = Systemd()
    try:
        settings = load(options.config_dir)
        device = attached.find(settings.volume, settings.device)
        if device is not None:
            disk.bring(device, settings.data_dir, settings.filesystem, options.config_dir, settings.blank_until)
        agent, heart = build(settings)
    except (BadSettings, disk.DiskError, OSError, sqlite3.Error) as error:
        LOG.error("the agent can't start: %s", error)
        return 1
    _serve(agent, heart, systemd)
    return 0


def build(settings: Settings) -> tuple[Agent, Heart]:
    """The agent of this machine and its heart, not started."""
    datastore = _datastore(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    journal = Journal(settings.data_dir / JOURNAL)
    heart = Heart(
        datastore.lifecycle,
        Volume(settings.data_dir).usage,
        journal.prune,
        journal.boot,
        settings.heartbeat_interval,
        settings.beat_interval,
        functools.partial(_bound, datastore),
    )
    return Agent(settings, datastore, journal, on_ready=heart.speak, on_change=heart.speak), heart


def _bound(datastore: Datastore) -> None:
    for kept in (datastore.logs, datastore.replication):
        if kept is not None:
            kept.bound()


def _datastore(settings: Settings) -> Datastore:
    found = list(plugins.of(PLUG_INS).select(name=settings.manager))
    if not found:
        raise BadSettings(f"there is no datastore plug-in {settings.manager}")
    plug_in = found[0].load()
    made: Datastore = plug_in(settings.machine(getattr(plug_in, "default_port", None)))
    return made


def _serve(agent: Agent, heart: Heart, systemd: Systemd) -> None:
    faults.point("guest.started")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    agent.start()
    heart.start(agent)
    systemd.watch(lambda: heart.beats)
    systemd.ready()
    stopping.wait()
    systemd.stopping()
    LOG.info("stopping")
    agent.stop(GRACE)
    heart.stop()
    logging.shutdown()
    # A task that outlived its grace must not keep the process: the journal knows that it was interrupted.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
