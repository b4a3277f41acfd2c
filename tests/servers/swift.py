# SPDX-License-Identifier: Apache-2.0
"""A real Swift of Debian's package: proxy, account, container and object server in one process."""

import dataclasses
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
pipeline = catch_errors healthcheck cache bulk tempurl {auth} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 20
node_timeout = 60
recoverable_node_timeout = 60
[filter:cache]
paste.filter_factory = swiftd:cache
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
"""
TEMPAUTH = """\
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {password} .admin .reseller_admin
"""
KEYSTONE = """\
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {url}
auth_url = {url}
auth_type = password
username = {user}
password = {password}
project_name = {project}
user_domain_name = Default
project_domain_name = Default
delay_auth_decision = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_admin_role = ResellerAdmin
"""
# A server that is busy is waited for: nobody would come later to put an object into its container's list.
STORAGE = """\
[DEFAULT]
swift_dir = {directory}
devices = {directory}
mount_check = false
fallocate_reserve = 0
log_level = WARNING
conn_timeout = 20
node_timeout = 60
container_update_timeout = 60
bind_port = {port}
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
ACCOUNT, USER = "service", "dbflow"


@dataclasses.dataclass(frozen=True)
class Login:
    """Of Swift, at a Keystone."""

    url: str
    user: str
    password: str
    project: str


class Swift(Server):
    """With an account of dbflow's, or those of a Keystone's projects."""

    name = "swift"
    port_count = 4

    def __init__(self, base: pathlib.Path, keystone: Login | None = None) -> None:
        super().__init__(base)
        self.password, self._keystone = secrets.token_urlsafe(16), keystone

    @property
    def _storage(self) -> dict[str, int]:
        """Ports of the servers behind the proxy."""
        return dict(zip(("account", "container", "object"), self.ports[1:], strict=True))

    @property
    def auth_url(self) -> str:
        """Of TempAuth."""
        return f"http://{LOOPBACK}:{self.port}/auth/v1.0"

    @property
    def url(self) -> str:
        """Above the accounts."""
        return f"http://{LOOPBACK}:{self.port}/v1"

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
        auth = TEMPAUTH.format(account=ACCOUNT, user=USER, password=self.password)
        if self._keystone is not None:
            auth = KEYSTONE.format(**dataclasses.asdict(self._keystone))
        names = "tempauth" if self._keystone is None else "authtoken keystoneauth"
        text = PROXY.format(directory=self.directory, auth=names) + auth
        (self.directory / f"proxy-{self.port}.conf").write_text(text)
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
