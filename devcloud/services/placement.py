# SPDX-License-Identifier: Apache-2.0
"""Placement."""

from collections.abc import Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, call
from devcloud.services.base import Service, uwsgi


class Placement(Service):
    """What compute hosts have."""

    name = "placement"
    databases = ("placement",)
    catalog = {"placement": ("placement", "")}

    def files(self) -> Mapping[str, str]:
        return {
            "placement.conf": ini.render(
                {
                    "DEFAULT": ini.common(self.settings),
                    "api": {"auth_strategy": "keystone"},
                    "keystone_authtoken": ini.authtoken(self.settings, "placement"),
                    "placement_database": ini.database(self.settings, "placement"),
                }
            )
        }

    def migrations(self) -> Sequence[Sequence[str]]:
        return [call("placement.cmd.manage:main", *self.config_file("placement.conf"), "db", "sync")]

    def daemons(self) -> Sequence[Daemon]:
        environment = {"OS_PLACEMENT_CONFIG_DIR": str(self.etc)}
        return [uwsgi(self.settings, "placement", "/usr/bin/placement-api", environment)]
