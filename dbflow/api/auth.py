# SPDX-License-Identifier: Apache-2.0
"""How a token becomes a user: a file of token hashes (standalone), or Keystone."""

import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
import stat
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import requests
from oslo_config import cfg

from dbflow.healthcheck import Probe
from dbflow.services.errors import Unavailable

Wsgi = Callable[[dict[str, Any], Any], Any]
_PING = 2.0
"""Seconds that Keystone has for a health check."""
AWAY = "dbflow.keystone_away"
"""Set in the environ of a request whose token nobody could look at."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """Whose token it is."""

    user_id: str
    project_id: str
    roles: frozenset[str]


class Auth(Protocol):
    """A way to authenticate."""

    challenge: str
    """The WWW-Authenticate header of a 401."""

    def identify(self, environ: Mapping[str, Any]) -> Identity | None:
        """Whose request it is; None without a valid token. Unavailable while nobody can tell."""

    def wrap(self, wsgi: Wsgi) -> Wsgi:
        """Put middleware around the app, where there is any."""

    def probes(self) -> Mapping[str, Probe]:
        """Of what must be there for tokens to be looked at."""


class TokenFileAuth:
    """Tokens of a JSON file: SHA-256 of the token, in hex -> {user, user_id, project_id, project_name, roles}.

    The file is read again when it changes. Refuses a file that others may read (PermissionError).
    """

    challenge = 'X-Auth-Token realm="dbflow"'

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = pathlib.Path(path)
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._known: dict[bytes, Identity] = {}
        self._load()

    @staticmethod
    def write(path: str | os.PathLike[str], tokens: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the file anew, mode 0600: token -> {user, user_id, project_id, project_name, roles}."""
        hashed = {hashlib.sha256(token.encode()).hexdigest(): dict(who) for token, who in tokens.items()}
        fresh = pathlib.Path(f"{os.fspath(path)}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(hashed, file, indent=1)
        fresh.replace(path)

    def identify(self, environ: Mapping[str, Any]) -> Identity | None:
        """Compares with every known hash, so that the time tells nothing."""
        token = str(environ.get("HTTP_X_AUTH_TOKEN", ""))
        self._load()
        asked = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        found = None
        for known, identity in self._known.items():
            if hmac.compare_digest(known, asked):
                found = identity
        return found

    def wrap(self, wsgi: Wsgi) -> Wsgi:
        """No middleware."""
        return wsgi

    def probes(self) -> Mapping[str, Probe]:
        """The file is no service."""
        return {}

    def _load(self) -> None:
        about = self._path.stat()
        stamp = (about.st_mtime_ns, about.st_ino)
        if stamp == self._stamp:
            return
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PermissionError(f"{self._path} must be readable by its owner only (mode 0600)")
        with self._lock:
            self._known = {
                bytes.fromhex(hashed): Identity(who["user_id"], who["project_id"], frozenset(who["roles"]))
                for hashed, who in json.loads(self._path.read_text()).items()
            }
            self._stamp = stamp


class KeystoneAuth:
    """Keystone's tokens, through keystonemiddleware."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self.challenge = 'Keystone uri="unknown"'

    def identify(self, environ: Mapping[str, Any]) -> Identity | None:
        """What the middleware made of the token; it has removed such headers of the client's own. Unavailable."""
        if environ.get(AWAY):
            raise Unavailable("Keystone can't say just now whose token it is.", {"Retry-After": "5"})
        if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed" or not environ.get("HTTP_X_PROJECT_ID"):
            return None
        roles = {role.strip().lower() for role in environ.get("HTTP_X_ROLES", "").split(",")}
        return Identity(environ["HTTP_X_USER_ID"], environ["HTTP_X_PROJECT_ID"], frozenset(roles - {""}))

    def wrap(self, wsgi: Wsgi) -> Wsgi:
        """The middleware leaves the refusal to us, so that open pages stay open."""
        from dbflow.api.keystone import Middleware, register

        register(self._conf)
        # Application credentials may be limited to some requests of a type of service.
        settings = {"oslo_config_config": self._conf, "delay_auth_decision": True, "service_type": "database"}
        middleware = Middleware(wsgi, settings)
        self.challenge = f'Keystone uri="{self._conf.keystone_authtoken.www_authenticate_uri}"'
        return cast(Wsgi, middleware)

    def probes(self) -> Mapping[str, Probe]:
        """Keystone, by the document that needs no token."""
        return {"catalog": self._ping}

    def _ping(self) -> None:
        group = self._conf.keystone_authtoken
        url = str(group.auth_url or group.www_authenticate_uri).rstrip("/").removesuffix("/v3")
        # A version's document is small; that of all versions would come with the status 300.
        answer = requests.get(f"{url}/v3", timeout=_PING, verify=not group.insecure and (group.cafile or True))
        answer.raise_for_status()


def from_conf(conf: cfg.ConfigOpts) -> Auth:
    """What ``[api] auth`` names."""
    return TokenFileAuth(conf.api.token_file) if conf.api.auth == "token_file" else KeystoneAuth(conf)
