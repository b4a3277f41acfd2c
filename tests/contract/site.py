# SPDX-License-Identifier: Apache-2.0
"""A machine for a plug-in: own directories, own loopback address, own port."""

import contextlib
import dataclasses
import importlib.metadata
import os
import pathlib
import pwd
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator

import psutil

from guest.datastores.base import Accounts, Datastore, Machine, Settings
from tests.contract.kits import Kit

UNPRIVILEGED = "dbflow-db"
SETTINGS = Settings(ram=512, vcpus=1)
TIMEOUT = 30.0


@dataclasses.dataclass
class Site:
    """A plug-in on its machine, and the eyes of a client."""

    kit: Kit
    machine: Machine
    datastore: Datastore
    passwords: list[str] = dataclasses.field(default_factory=list)
    """Every password handed out, for those who look for traces."""

    @property
    def accounts(self) -> Accounts:
        assert self.datastore.accounts is not None
        return self.datastore.accounts

    def password(self) -> str:
        """A new one, with characters that need care."""
        self.passwords.append(f"p'w\"\\%s;{secrets.token_hex(8)}é")
        return self.passwords[-1]

    def install(self) -> None:
        self.datastore.lifecycle.install(SETTINGS, lambda fraction: None)

    def after_agent_restart(self) -> Datastore:
        """The plug-in as the next agent on this machine makes it."""
        return load_guest(self.kit)(self.machine)

    def process(self) -> psutil.Process | None:
        """The server of this machine, found by what it was started with."""
        for process in psutil.process_iter(["name", "cmdline", "status"]):
            told = " ".join(process.info["cmdline"] or ())
            if process.info["name"] == self.kit.program and str(self.machine.data_dir) in told:
                return process
        return None


def load_guest(kit: Kit) -> type[Datastore]:
    (entry,) = importlib.metadata.entry_points(group="dbflow.guest.datastores", name=kit.manager)
    plugin: type[Datastore] = entry.load()
    return plugin


def free_address() -> tuple[str, int]:
    """An own 127.x address, so that no other test's server is in the way, and a free port there."""
    low = secrets.SystemRandom()
    address = f"127.{low.randint(64, 250)}.{low.randint(0, 255)}.{low.randint(1, 254)}"
    with socket.create_server((address, 0)) as probe:
        return address, probe.getsockname()[1]


@contextlib.contextmanager
def open_directory() -> Iterator[pathlib.Path]:
    """A directory that the server's user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="dbflow-contract-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def new_site(kit: Kit, image: pathlib.Path | None) -> Iterator[Site]:
    """A fresh machine with nothing installed; whatever runs on it afterwards is ended."""
    with open_directory() as base:
        address, port = free_address()
        machine = Machine(
            instance_id=secrets.token_hex(16),
            address=address,
            port=port,
            data_dir=base / "data",
            run_dir=base / "run",
            log_dir=base / "log",
            run_as=pwd.getpwnam(UNPRIVILEGED).pw_name if os.geteuid() == 0 else None,
            image_dir=image,
        )
        site = Site(kit, machine, load_guest(kit)(machine))
        try:
            yield site
        finally:
            process = site.process()
            if process is not None:
                process.kill()
                process.wait(TIMEOUT)
