# SPDX-License-Identifier: Apache-2.0
"""One RabbitMQ broker with an epmd of its own."""

import base64
import json
import os
import pathlib
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tests.servers.ports import LOOPBACK, is_open
from tests.servers.process import Child, Server, ServerError

# The scripts beneath Debian's wrappers: those insist on the user rabbitmq and on the system's directories.
SCRIPTS = "/usr/lib/rabbitmq/lib"
USER = "dbflow"
CONFIG = """\
listeners.tcp.1 = {address}:{amqp}
default_user = {user}
default_pass = {password}
loopback_users = none
log.console = true
log.console.level = info
log.console.use_colors = off
log.file = false
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 50MB
"""
MANAGEMENT_CONFIG = "management.tcp.ip = {address}\nmanagement.tcp.port = {http}\n"


class RabbitMQ(Server):
    """A broker whose AMQP, HTTP, distribution and epmd ports all listen on loopback only.

    With ``management`` (the default) it has the HTTP API, which makes virtual hosts and users in milliseconds; that
    plugin makes an orderly ``stop`` last 6 s. A broker whose data nobody wants any more can be ended by ``kill``.
    """

    name = "rabbitmq"
    port_count = 4

    def __init__(self, base: pathlib.Path, *, management: bool = True) -> None:
        super().__init__(base)
        self.management = management
        self.password = secrets.token_urlsafe(24)
        self._epmd: Child | None = None

    @property
    def node(self) -> str:
        return f"dbflow-{self.port}@localhost"

    def url(self, vhost: str = "/") -> str:
        """kombu's URL of a virtual host, as the user who may do everything."""
        return self.url_for(USER, self.password, vhost)

    def url_for(self, user: str, password: str, vhost: str) -> str:
        """kombu's URL of a virtual host for another user."""
        login = f"{urllib.parse.quote(user, safe='')}:{urllib.parse.quote(password, safe='')}"
        return f"amqp://{login}@{LOOPBACK}:{self.port}/{urllib.parse.quote(vhost, safe='')}"

    @property
    def management_url(self) -> str:
        """The HTTP API, as the user who may do everything."""
        return f"http://{USER}:{self.password}@{LOOPBACK}:{self.ports[1]}"

    def create_vhost(self, name: str) -> str:
        """Make an empty virtual host and return kombu's URL of it."""
        self.api("PUT", f"vhosts/{_path(name)}")
        self.grant(USER, name)
        return self.url(name)

    def delete_vhost(self, name: str) -> None:
        """Remove a virtual host with its queues; its connections are closed."""
        self.api("DELETE", f"vhosts/{_path(name)}")

    def create_user(self, name: str, password: str, tags: str = "") -> None:
        """Make a user without rights; see ``grant``."""
        self.api("PUT", f"users/{_path(name)}", {"password": password, "tags": tags})

    def grant(self, user: str, vhost: str, *, configure: str = ".*", write: str = ".*", read: str = ".*") -> None:
        """Set a user's rights in a virtual host: regular expressions over names of queues and exchanges."""
        rights = {"configure": configure, "write": write, "read": read}
        self.api("PUT", f"permissions/{_path(vhost)}/{_path(user)}", rights)

    def reset(self) -> None:
        """Make it as new: no virtual host but an empty ``/``, no user but ours."""
        for user in self.api("GET", "users"):
            if user["name"] != USER:
                self.api("DELETE", f"users/{_path(user['name'])}")
        for vhost in self.api("GET", "vhosts"):
            self.delete_vhost(vhost["name"])
        self.create_vhost("/")

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the management API at ``/api/<path>`` and return the decoded answer; ServerError on a refusal."""
        if not self.management:
            raise ServerError("rabbitmq was started without its management plugin")
        request = urllib.request.Request(f"http://{LOOPBACK}:{self.ports[1]}/api/{path}", method=method)
        login = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise ServerError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
        return json.loads(text) if text else None

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl (about a second) and return what it prints; ServerError when it fails."""
        command = [str(_script("rabbitmqctl")), "--quiet", *arguments]
        done = subprocess.run(command, env=self._env(), capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise ServerError(f"rabbitmqctl {arguments[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def stop(self) -> None:
        super().stop()
        self._end_epmd()

    def kill(self) -> None:
        super().kill()
        self._end_epmd()

    def _end_epmd(self) -> None:
        if self._epmd:
            self._epmd.kill()
        self._epmd = None

    def _env(self) -> dict[str, str]:
        amqp, _, distribution, epmd = self.ports
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))}
        return inherited | {
            "HOME": str(self.directory),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_PORT": str(amqp),
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "no-such-file"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            # With this the script becomes the Erlang machine by exec, so that its pid is the broker's.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
            ),
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false",
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": LOOPBACK,
        }

    def _prepare(self) -> None:
        amqp, http, _, _ = self.ports
        config = CONFIG + (MANAGEMENT_CONFIG if self.management else "")
        path = self.directory / "rabbitmq.conf"
        path.touch(mode=0o600)
        path.write_text(config.format(address=LOOPBACK, amqp=amqp, http=http, user=USER, password=self.password))
        (self.directory / "plugins").write_text("[rabbitmq_management].\n" if self.management else "[].\n")
        cookie = self.directory / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)

    def _spawn(self) -> Child:
        env = self._env()
        epmd = ["epmd", "-port", str(self.ports[3]), "-address", LOOPBACK]
        self._epmd = Child(epmd, self.directory / "epmd.log", env)
        self._epmd.wait_ready(lambda: is_open(self.ports[3]), 10, "epmd")
        return Child([str(_script("rabbitmq-server"))], self.log_file, env)

    def _ready(self) -> bool:
        # The listeners are opened last, when the broker takes clients.
        return is_open(self.ports[0]) and (not self.management or is_open(self.ports[1]))


def _script(name: str) -> pathlib.Path:
    for path in pathlib.Path(SCRIPTS).glob(f"rabbitmq_server-*/sbin/{name}"):
        return path
    raise ServerError(f"no {name} below {SCRIPTS}: is rabbitmq-server installed?")


def _path(name: str) -> str:
    return urllib.parse.quote(name, safe="")
