# SPDX-License-Identifier: Apache-2.0
"""Designate, with BIND."""

import base64
import os
from collections.abc import Iterator, Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, call, python
from devcloud.services.base import Service
from devcloud.settings import HOST, LOOPBACK

POOL = "794ccc2cd75144feb57f8894c9f5c842"
"""The id that Designate's default configuration gives its pool."""
TARGET = "f26e0b32736f4f0a831b039a415c481e"
NAMED = """\
include "{etc}/rndc.key";
options {{
    directory "{place}"; pid-file "{place}/pid"; session-keyfile "{place}/session.key";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    allow-new-zones yes; recursion no; allow-query {{ any; }}; dnssec-validation no; notify no;
    minimal-responses yes; request-ixfr no; min-refresh-time 1; min-retry-time 1;
}};
controls {{ inet 127.0.0.1 port {rndc} allow {{ 127.0.0.1; }} keys {{ devcloud; }}; }};
"""


class Designate(Service):
    """A record is in force about two seconds after the call."""

    name = "designate"
    databases = ("designate",)
    catalog = {"designate": ("dns", "")}

    def files(self) -> Mapping[str, str]:
        settings = self.settings
        place, port, rndc = settings.directory / "named", settings.port("dns"), settings.port("rndc")
        return {
            "designate.conf": ini.render(self._configuration()),
            "named.conf": NAMED.format(etc=self.etc, place=place, port=port, rndc=rndc),
        }

    def _configuration(self) -> ini.Ini:
        settings = self.settings
        workers = {"workers": 1, "threads": 50}
        return {
            "DEFAULT": {
                **ini.common(settings),
                "host": HOST,
                "state_path": settings.directory / "designate",
                "transport_url": settings.transport_url,
                "root_helper": "env",
            },
            "service:api": {
                **workers,
                "listen": f"{LOOPBACK}:{settings.port('designate')}",
                "auth_strategy": "keystone",
                "api_base_uri": settings.url("designate", "/"),
                "api_paste_config": self.paste,
                "enable_api_v2": True,
                "enabled_extensions_v2": "quotas, reports",
            },
            "service:central": {**workers, "managed_resource_email": "root@devcloud.test."},
            "service:mdns": {**workers, "listen": f"{LOOPBACK}:{settings.port('mdns')}"},
            # By default a record takes twenty seconds.
            "service:worker": {**workers, "poll_delay": 1, "poll_retry_interval": 1, "poll_timeout": 5},
            "service:producer": workers,
            "storage:sqlalchemy": {"connection": settings.database("designate")},
            "keystone_authtoken": ini.authtoken(settings, "designate"),
            **ini.shared(settings),
        }

    def prepare(self) -> None:
        for name in ("designate", "named"):
            (self.settings.directory / name).mkdir(exist_ok=True)
        key = self.etc / "rndc.key"
        if not key.exists():
            secret = base64.b64encode(os.urandom(32)).decode()
            key.write_text(f'key "devcloud" {{ algorithm hmac-sha256; secret "{secret}"; }};\n')

    def migrations(self) -> Sequence[Sequence[str]]:
        return [call("designate.cmd.manage:main", *self.config_file("designate.conf"), "database", "sync")]

    def statements(self) -> Sequence[str]:
        """Where zones go: ``designate-manage pool update`` would need a running Designate."""
        return list(self._pool())

    def _pool(self) -> Iterator[str]:
        port = self.settings.port
        yield (
            "INSERT INTO designate.pool_targets (id, created_at, version, pool_id, type, description) "
            f"VALUES ('{TARGET}', NOW(), 1, '{POOL}', 'bind9', 'devcloud')"
        )
        yield _insert("pool_target_masters", pool_target_id=TARGET, host=LOOPBACK, port=port("mdns"))
        options = {
            "host": LOOPBACK,
            "port": port("dns"),
            "rndc_host": LOOPBACK,
            "rndc_port": port("rndc"),
            "rndc_key_file": self.etc / "rndc.key",
            "clean_zonefile": "true",
        }
        for key, value in options.items():
            yield _insert("pool_target_options", pool_target_id=TARGET, key=key, value=value)
        yield _insert("pool_nameservers", pool_id=POOL, host=LOOPBACK, port=port("dns"))
        yield _insert("pool_ns_records", pool_id=POOL, priority=1, hostname="ns1.devcloud.test.")

    def daemons(self) -> Sequence[Daemon]:
        named = ["named", "-g", "-4", "-n", "1", "-c", str(self.etc / "named.conf")]
        argv = python("devcloud.daemons.designate", *self.config_file("designate.conf"))
        return [Daemon("named", named), Daemon("designate", argv)]


def _insert(table: str, **values: object) -> str:
    columns = ", ".join(f"`{name}`" for name in values)
    texts = ", ".join(f"'{value}'" for value in values.values())
    return (
        f"INSERT INTO designate.{table} (id, created_at, version, {columns}) "
        f"VALUES (REPLACE(UUID(), '-', ''), NOW(), 1, {texts})"
    )
