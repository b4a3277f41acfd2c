# SPDX-License-Identifier: Apache-2.0
"""A real Swift of Debian's package: proxy, account, container and object server in one process."""

import pathlib
import secrets

import requests

from tests.servers.ports import LOOPBACK, is_open
from tests.servers.process import Child, Server

PYTHON = "/usr/bin/python3"
PROGRAM = pathlib.Path(__file__).with_name("swiftd.py")
SWIFT_CONF = """\
[swift-hash]
swift_hash_path_suffix = dbflow
swift_hash_path_prefix = tests
"""
PROXY = """\
[DEFAULT]
swift_dir = {directory}
log_level = WARNING
[pipeline:main]
pipeline = catch_errors healthcheck cache bulk tempurl tempauth proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:cache]
paste.filter_factory = swiftd:cache
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {password} .admin
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
"""
STORAGE = """\
[DEFAULT]
swift_dir = {directory}
devices = {directory}
mount_check = false
fallocate_reserve = 0
log_level = WARNING
bind_port = {port}
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
ACCOUNT, USER = "service", "dbflow"


class Swift(Server):
    """With an account of dbflow's."""

    name = "swift"
    port_count = 4

    def __init__(self, base: pathlib.Path) -> None:
        super().__init__(base)
        self.password = secrets.token_urlsafe(16)

    @property
    def _storage(self) -> dict[str, int]:
        """Ports of the servers behind the proxy."""
        return dict(zip(("account", "container", "object"), self.ports[1:], strict=True))

    @property
    def auth_url(self) -> str:
        """Of TempAuth."""
        return f"http://{LOOPBACK}:{self.port}/auth/v1.0"

    @property
    def login(self) -> dict[str, str]:
        """Options of ``[object_store]``."""
        return {
            "driver": "swift",
            "swift_auth_url": self.auth_url,
            "swift_auth_version": "1",
            "swift_username": f"{ACCOUNT}:{USER}",
            "swift_password": self.password,
        }

    def _prepare(self) -> None:
        (self.directory / "d").mkdir(exist_ok=True)
        (self.directory / "swift.conf").write_text(SWIFT_CONF)
        proxy = PROXY.format(directory=self.directory, account=ACCOUNT, user=USER, password=self.password)
        (self.directory / f"proxy-{self.port}.conf").write_text(proxy)
        for name, port in self._storage.items():
            text = STORAGE.format(directory=self.directory, name=name, port=port)
            (self.directory / f"{name}-{port}.conf").write_text(text)

    def _spawn(self) -> Child:
        environment = {"PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore"}
        return Child([PYTHON, "-P", str(PROGRAM), str(self.directory)], self.log_file, environment)

    def _ready(self) -> bool:
        if not all(is_open(port) for port in self._storage.values()):
            return False
        try:
            return requests.get(f"http://{LOOPBACK}:{self.port}/healthcheck", timeout=5).ok
        except requests.RequestException:
            return False
