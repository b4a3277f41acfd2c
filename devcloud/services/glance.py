# SPDX-License-Identifier: Apache-2.0
"""Glance."""

from collections.abc import Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, call
from devcloud.services.base import Service
from devcloud.settings import LOOPBACK


class Glance(Service):
    """Images are files."""

    name = "glance"
    databases = ("glance",)
    catalog = {"glance": ("image", "")}
    probe = "/versions"

    def files(self) -> Mapping[str, str]:
        place = self.settings.directory / "glance"
        return {
            "glance-api.conf": ini.render(
                {
                    "DEFAULT": {
                        **ini.common(self.settings),
                        "bind_host": LOOPBACK,
                        "bind_port": self.settings.port("glance"),
                        "workers": 0,
                        "enabled_backends": "fs:file",
                        "transport_url": self.settings.transport_url,
                        "node_staging_uri": f"file://{place}/staging",
                    },
                    "fs": {"filesystem_store_datadir": place / "images"},
                    "glance_store": {"default_backend": "fs"},
                    "os_glance_tasks_store": {"filesystem_store_datadir": place / "tasks"},
                    "os_glance_staging_store": {"filesystem_store_datadir": place / "staging"},
                    "paste_deploy": {"flavor": "keystone", "config_file": self.paste},
                    "keystone_authtoken": ini.authtoken(self.settings, "glance"),
                    "database": ini.database(self.settings, "glance"),
                    **ini.shared(self.settings),
                }
            )
        }

    def prepare(self) -> None:
        for name in ("images", "staging", "tasks"):
            (self.settings.directory / "glance" / name).mkdir(parents=True, exist_ok=True)

    def migrations(self) -> Sequence[Sequence[str]]:
        return [call("glance.cmd.manage:main", *self.config_file("glance-api.conf"), "db_sync")]

    def daemons(self) -> Sequence[Daemon]:
        return [Daemon("glance", call("glance.cmd.api:main", *self.config_file("glance-api.conf")))]
