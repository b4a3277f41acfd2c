# SPDX-License-Identifier: Apache-2.0
"""What dbflow-standalone keeps in its state directory, and makes on the first start."""

import contextlib
import fcntl
import json
import os
import pathlib
import secrets
import uuid
from collections.abc import Iterator
from typing import Any

from dbflow.api.auth import TokenFileAuth
from dbflow.crypto import Keyring
from dbflow.messaging.connection import EMBEDDED, with_login
from dbflow.messaging.embedded.rights import CONTROL

# `openstack database quota` asks Keystone for every project whose id does not look like a UUID.
PROJECT, ADMIN_PROJECT = (uuid.uuid5(uuid.NAMESPACE_URL, f"dbflow:{name}").hex for name in ("demo", "admin"))
_MAX_SOCKET = 107
_HIGHEST_PORT = 65535


class InUse(Exception):
    """Another dbflow-standalone serves this directory."""


class StateDir:
    """Paths, and the files that are written at each start.

    Others may pass through the directory (databases run as another user when dbflow is root), but every file with a
    secret in it is its owner's alone.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path).absolute()
        self.conf = self.path / "dbflow.conf"
        self.clouds = self.path / "clouds.yaml"
        self.log = self.path / "dbflow.log"
        self._keys = self.path / "keys"
        self._tokens = self.path / "tokens.json"
        self.broker_secret = secrets.token_urlsafe(32)
        """The control plane's password at the embedded broker, for as long as this process runs."""

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the directory for this process. InUse when another one has it."""
        self._make()
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"{self.path} is in use by another dbflow-standalone") from None
        else:
            yield
        finally:
            os.close(fd)

    def _make(self) -> None:
        missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        for path in missing:
            path.chmod(0o711)  # whatever the umask says

    @property
    def database_url(self) -> str:
        """dbflow's own state."""
        return f"sqlite:///{self.path / 'dbflow.sqlite'}"

    @property
    def broker_socket(self) -> pathlib.Path:
        """Where guests find the embedded broker; in the directory, so that they find it after a restart."""
        path = self.path / "broker" / "socket"
        if len(os.fsencode(path)) > _MAX_SOCKET:
            raise ValueError(f"--state-dir {self.path} is too long: Unix sockets have {_MAX_SOCKET} bytes of path")
        return path

    def admin_token(self) -> str:
        """The administrator's, of clouds.yaml."""
        token: str = json.loads(self.clouds.read_text())["clouds"]["dbflow-admin"]["auth"]["token"]
        return token

    def write(self, bind: str, port: int) -> None:
        """Keys and tokens if there are none yet; configuration and clouds.yaml anew."""
        if not self._keys.exists():
            Keyring.create_file(self._keys)
        self._write(self.conf, self._configuration(bind, port))
        self._write(self.clouds, self._clouds_yaml(f"http://{bind}:{port}/v1.0"))

    def _configuration(self, bind: str, port: int) -> str:
        sections = {
            "DEFAULT": {"log_file": str(self.log)},
            "database": {"connection": self.database_url},
            "security": {"key_file": str(self._keys)},
            "coordination": {"driver": "embedded"},
            "messaging": {"url": with_login(f"{EMBEDDED}{self.broker_socket}", CONTROL, self.broker_secret)},
            "object_store": {
                "driver": "file",
                "directory": str(self.path / "objects"),
                "bind_host": bind,
                # The next one, or the one before the highest.
                "bind_port": str(port + 1 if port < _HIGHEST_PORT else port - 1),
            },
            "secret_store": {"driver": "file", "directory": str(self.path / "secrets")},
            "cloud": {"driver": "local"},
            "local_cloud": {"state_dir": str(self.path / "cloud")},
            "api": {"auth": "token_file", "token_file": str(self._tokens), "bind_host": bind, "bind_port": str(port)},
        }
        lines = ["# Written by dbflow-standalone at each start; give your own settings with --config-file."]
        for section, options in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{name} = {value.replace('$', '$$')}" for name, value in options.items()]
        return "\n".join(lines) + "\n"

    def _clouds_yaml(self, endpoint: str) -> str:
        """Clients' configuration; YAML is a superset of JSON, and JSON quotes everything right."""
        clouds = {
            "dbflow": self._cloud(PROJECT, "member", endpoint),
            "dbflow-admin": self._cloud(ADMIN_PROJECT, "admin", endpoint),
        }
        who = {
            cloud["auth"]["token"]: {
                "user": role,
                "user_id": role,
                "project_id": project,
                "project_name": name,
                "roles": ["admin", "member", "reader"] if role == "admin" else ["member", "reader"],
            }
            for cloud, project, name, role in (
                (clouds["dbflow"], PROJECT, "demo", "member"),
                (clouds["dbflow-admin"], ADMIN_PROJECT, "admin", "admin"),
            )
        }
        TokenFileAuth.write(self._tokens, who)
        return json.dumps({"clouds": clouds}, indent=2) + "\n"

    def _cloud(self, project: str, role: str, endpoint: str) -> dict[str, Any]:
        name = "dbflow" if role == "member" else "dbflow-admin"
        known = json.loads(self.clouds.read_text())["clouds"] if self.clouds.exists() else {}
        token = known[name]["auth"]["token"] if name in known else secrets.token_urlsafe(32)
        return {
            "auth_type": "admin_token",
            "auth": {"endpoint": f"{endpoint}/{project}", "token": token},
            "database_endpoint_override": f"{endpoint}/{project}",
        }

    @staticmethod
    def _write(path: pathlib.Path, text: str) -> None:
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
