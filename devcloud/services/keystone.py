# SPDX-License-Identifier: Apache-2.0
"""Keystone."""

import base64
import os
import pathlib
from collections.abc import Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, call
from devcloud.services.base import Service, uwsgi
from devcloud.settings import LOOPBACK, PASSWORD, REGION


class Keystone(Service):
    """Tokens are good for four hours. The services take a revoked one for up to a minute more."""

    name = "keystone"
    databases = ("keystone",)
    probe = "/v3"

    def files(self) -> Mapping[str, str]:
        return {
            "keystone.conf": ini.render(
                {
                    "DEFAULT": ini.common(self.settings),
                    "cache": {
                        "enabled": True,
                        "backend": "dogpile.cache.memcached",
                        "memcache_servers": f"{LOOPBACK}:{self.settings.port('memcached')}",
                    },
                    "credential": {"key_repository": self._credentials},
                    "database": ini.database(self.settings, "keystone"),
                    "fernet_tokens": {"key_repository": self._fernet},
                    "fernet_receipts": {"key_repository": self._fernet},
                    # bcrypt's default of 12 rounds costs 0.25 s a password.
                    "identity": {"password_hash_rounds": 4},
                    "token": {"provider": "fernet", "expiration": 4 * 3600},
                }
            )
        }

    def migrations(self) -> Sequence[Sequence[str]]:
        manage = call("keystone.cmd.manage:main", *self.config_file("keystone.conf"))
        bootstrap = [*manage, "bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", REGION]
        for interface in ("admin", "public", "internal"):
            bootstrap += [f"--bootstrap-{interface}-url", self.settings.auth_url]
        return [*manage, "db_sync"], bootstrap

    def prepare(self) -> None:
        """keystone-manage would take two seconds for each kind of key."""
        for place in (self._fernet, self._credentials):
            place.mkdir(mode=0o700, exist_ok=True)
            for name in ("0", "1"):
                _make_key(place / name)

    def daemons(self) -> Sequence[Daemon]:
        environment = {"OS_KEYSTONE_CONFIG_DIR": str(self.etc)}
        return [uwsgi(self.settings, "keystone", "/usr/bin/keystone-wsgi-public", environment)]

    @property
    def _fernet(self) -> pathlib.Path:
        return self.etc / "fernet-keys"

    @property
    def _credentials(self) -> pathlib.Path:
        return self.etc / "credential-keys"


def _make_key(path: pathlib.Path) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
