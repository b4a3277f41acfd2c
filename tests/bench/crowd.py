# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench.crowd``: many guests in one process, each with the agent and the heart of a real one.

Their datastore is a file. Reads a Crowd as JSON from the first line of standard input, prints ``ready`` when every
guest runs, and goes when standard input ends.
"""

import base64
import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import sys
import threading
import time

from guest.agent import Agent
from guest.heartbeat import Heart
from guest.journal import Journal
from guest.main import JOURNAL
from guest.settings import Settings
from guest.volume import Volume
from tests.guests.datastore import FileDatastore

STACK = 256 * 1024
STAGGER = 0.01
"""Seconds between two starts: machines do not boot all at once."""


@dataclasses.dataclass(frozen=True)
class Member:
    """One guest."""

    instance_id: str
    key: str
    """In base64."""
    url: str


@dataclasses.dataclass(frozen=True)
class Crowd:
    """Those of one process."""

    members: list[Member]
    exchange: str
    heartbeat_interval: float
    root: str
    """A directory for theirs."""


def start(crowd: Crowd, member: Member) -> None:
    """As guest.main does it."""
    directory = pathlib.Path(crowd.root, member.instance_id)
    directory.mkdir()
    settings = Settings(
        instance_id=member.instance_id,
        manager="file",
        url=member.url,
        exchange=crowd.exchange,
        key=base64.b64decode(member.key),
        heartbeat_interval=crowd.heartbeat_interval,
        beat_interval=2.0,
        address="127.0.0.1",
        port=None,
        data_dir=directory,
        run_dir=directory,
        log_dir=directory,
        run_as=None,
        image_dir=None,
    )
    datastore = FileDatastore(settings.machine(FileDatastore.default_port))
    (directory / "status").write_text("HEALTHY")
    journal = Journal(directory / JOURNAL)
    heart = Heart(
        datastore.lifecycle, Volume(directory).usage, journal.prune, journal.boot, crowd.heartbeat_interval, 2.0
    )
    agent = Agent(settings, datastore, journal, on_ready=heart.speak, on_change=heart.speak)
    agent.start()
    heart.start(agent)


def main() -> None:
    """Until standard input ends."""
    logging.basicConfig(level=logging.ERROR)
    given = json.loads(sys.stdin.readline())
    crowd = Crowd(**given | {"members": [Member(**member) for member in given["members"]]})
    threading.stack_size(STACK)
    for member in crowd.members:
        start(crowd, member)
        time.sleep(STAGGER)
    print("ready", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
