# SPDX-License-Identifier: Apache-2.0
"""A Keystone on SQLite, of the packages that tools/setup.sh puts beside the tests' own."""

import os
import pathlib
import secrets
import sys

import requests

from tests.servers.ports import LOOPBACK
from tests.servers.process import Child, Server

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = ROOT / ".cache" / "keystone"


class Keystone(Server):
    """Users and projects in the domain Default. It starts once: its data are made anew each time."""

    name = "keystone"

    def __init__(self, base: pathlib.Path) -> None:
        super().__init__(base)
        self.password = secrets.token_urlsafe(12)
        """Of ``admin`` in the project ``admin``."""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/v3"

    def _prepare(self) -> None:
        """The host does that."""

    def _spawn(self) -> Child:
        argv = [sys.executable, "-W", "ignore", "-m", "tests.servers.keystonehost", str(self.directory), str(self.port)]
        path = os.pathsep.join([str(PACKAGES), str(ROOT)])
        return Child(argv, self.log_file, os.environ | {"PYTHONPATH": path, "KEYSTONE_PASSWORD": self.password})

    def _ready(self) -> bool:
        try:
            return requests.get(self.url, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False
