# SPDX-License-Identifier: Apache-2.0
"""A devcloud of the tests' own: ``tools/devcloud``, as a developer calls it."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Self

import openstack
import requests
from openstack.connection import Connection

from devcloud import identity
from devcloud.processes import Process
from devcloud.settings import OFFSETS, ROOT, Settings
from tests.servers import ports
from tests.servers.process import ServerError
from tests.waiting import wait_for

COMMAND = ROOT / "tools" / "devcloud"
PLACE = ROOT / ".cache" / "devcloud" / "tests"
"""Always the same, so that what a killed test run has left is found by the next one."""
LOGS = ROOT / ".cache" / "tests" / "devcloud"
"""Where its logs stay."""
OPTIONS = "DEVCLOUD_OPTIONS"
"""A variable with more options of ``up``: tools/test.sh sets it for openstack-full."""


def computes() -> int:
    """How many compute hosts the cloud of the tests has, or will have."""
    words = os.environ.get(OPTIONS, "").split()
    return int(words[words.index("--computes") + 1]) if "--computes" in words else 1


class DevCloud:
    """Stopped and purged at the end, whatever happened."""

    def __init__(self, directory: pathlib.Path = PLACE, options: Sequence[str] | None = None) -> None:
        """``options`` of ``up``; those of the variable when None."""
        self.directory = directory
        self._options = os.environ.get(OPTIONS, "").split() if options is None else options

    @property
    def settings(self) -> Settings:
        return Settings.load(self.directory)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Call the command, which may fail; its output is one."""
        argv = [COMMAND, "--dir", self.directory, *arguments]
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )

    def succeed(self, *arguments: str) -> str:
        """What the command prints. ServerError when it fails."""
        done = self.run(*arguments)
        if done.returncode:
            raise ServerError(f"devcloud {arguments[0]} ended with {done.returncode}\n{done.stdout}")
        return done.stdout

    def openstack(self, user: str) -> Connection:
        """A client that is one of its users."""
        login = identity.login(self.settings, user)
        return openstack.connect(**login, compute_api_version="2.90", volume_api_version="3.70")

    def kill(self, service: str) -> None:
        """End every process of a service, of which there are several in full mode. ``up`` starts it again."""
        found = [one for one in Process.all(self.settings) if one.name.partition("-")[0] == service]
        assert found, f"nothing of {service} runs"
        for process in found:
            process.signal(signal.SIGKILL)
        for process in found:
            process.wait_gone()

    def revoke(self, user: str) -> None:
        """Tokens that it has are good no more, for any service that keeps none in mind; it can log in again."""
        identity, login = self.openstack("admin").identity, self.openstack(user)
        old = {"X-Auth-Token": login.auth_token}
        urls = [f"{login.endpoint_for('compute')}/servers", login.endpoint_for("object-store")]
        known = identity.find_user(user, ignore_missing=False)
        for enabled in (False, True):
            identity.update_user(known, is_enabled=enabled)
        ended = int(time.time())
        with socket.create_connection(("127.0.0.1", self.settings.port("memcached"))) as memcached:
            memcached.sendall(b"flush_all\r\nquit\r\n")
            memcached.recv(100)
        for url in urls:
            wait_for(lambda u=url: requests.get(u, headers=old, timeout=30).status_code == 401, 10, f"401 of {url}")
        # Of those that are made in the same second Keystone does not tell which were before.
        wait_for(lambda: time.time() >= ended + 1, 5, "the next second")

    def __enter__(self) -> Self:
        self.succeed("down", "--purge")
        try:
            self.succeed("up", "--port-base", str(_free_base()), *self._options)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.succeed("down")
        shutil.rmtree(LOGS, ignore_errors=True)
        shutil.copytree(self.directory / "log", LOGS)
        for console in self.directory.glob("guests/*/console.log"):
            shutil.copy(console, LOGS / f"{console.parent.name}.log")
        self.succeed("down", "--purge")


@contextlib.contextmanager
def running() -> Iterator[DevCloud]:
    """The one in PLACE; a second test run of this checkout waits for the first."""
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    with (PLACE.parent / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with DevCloud() as cloud:
            yield cloud


def _free_base() -> int:
    """With which all of its ports are free."""
    for base in range(ports.FIRST, ports.LAST - max(OFFSETS.values()), 1000):
        if all(ports.claimed(base + offset) for offset in OFFSETS.values()):
            return base
    raise ServerError("no place for the ports of a devcloud")
