# SPDX-License-Identifier: Apache-2.0
"""Cinder."""

import json
from collections.abc import Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, call, python
from devcloud.services.base import Service
from devcloud.settings import HOST, LOOPBACK

PARTS = ("scheduler", "volume", "api")
FILTERS = {
    "volume": [
        "name",
        "status",
        "metadata",
        "bootable",
        "migration_status",
        "availability_zone",
        "group_id",
        "size",
        "volume_type",
        "host",
    ],
    "backup": ["name", "status", "volume_id"],
    "snapshot": ["name", "status", "volume_id", "metadata", "availability_zone"],
    "attachment": ["volume_id", "status", "instance_id", "attach_status"],
    "message": ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
    "pool": ["name", "volume_type"],
    "volume_type": ["is_public"],
}
"""By what users may list each resource."""


class Cinder(Service):
    """Volumes are sparse files: ``devcloud.drivers.volume``."""

    name = "cinder"
    databases = ("cinder",)
    catalog = {"cinder": ("block-storage", "/v3"), "cinderv3": ("volumev3", "/v3")}

    def files(self) -> Mapping[str, str]:
        return {"cinder.conf": ini.render(self._configuration()), "resource_filters.json": json.dumps(FILTERS)}

    def _configuration(self) -> ini.Ini:
        place = self.settings.directory / "cinder"
        return {
            "DEFAULT": {
                **ini.common(self.settings),
                "host": HOST,
                "my_ip": LOOPBACK,
                "auth_strategy": "keystone",
                "state_path": place,
                "transport_url": self.settings.transport_url,
                "api_paste_config": self.paste,
                "osapi_volume_listen": LOOPBACK,
                "osapi_volume_listen_port": self.settings.port("cinder"),
                "osapi_volume_workers": 1,
                "enabled_backends": "devcloud",
                "default_volume_type": "__DEFAULT__",
                "glance_api_servers": self.settings.url("glance"),
                "rootwrap_config": "",
                "resource_query_filters_file": self.etc / "resource_filters.json",
                # A scheduler that starts after the volume service hears of it at that one's next report.
                "periodic_interval": 5,
                "periodic_fuzzy_delay": 1,
                "report_interval": 10,
                "service_down_time": 60,
            },
            "devcloud": {
                "volume_driver": "devcloud.drivers.volume.FileDriver",
                "volume_backend_name": "devcloud",
                "devcloud_volumes_dir": place / "volumes",
                "target_helper": "fake",
            },
            "coordination": {"backend_url": f"file://{place}/coordination"},
            "key_manager": {"backend": "cinder.keymgr.conf_key_mgr.ConfKeyManager", "fixed_key": 64 * "0"},
            "nova": {**ini.client(self.settings, "nova"), "interface": "public"},
            "service_user": {**ini.client(self.settings, "cinder"), "send_service_user_token": True},
            "keystone_authtoken": ini.authtoken(self.settings, "cinder"),
            "database": ini.database(self.settings, "cinder"),
            **ini.shared(self.settings),
        }

    def prepare(self) -> None:
        for name in ("volumes", "coordination"):
            (self.settings.directory / "cinder" / name).mkdir(parents=True, exist_ok=True)

    def migrations(self) -> Sequence[Sequence[str]]:
        return [call("cinder.cmd.manage:main", *self.config_file("cinder.conf"), "db", "sync")]

    def statements(self) -> Sequence[str]:
        """The limit of 10 that its own migration writes wins over cinder.conf's quota options."""
        limit = "IF(resource = 'gigabytes', 50000, 500)"
        which = "class_name = 'default' AND resource IN ('volumes', 'snapshots', 'gigabytes')"
        return [f"UPDATE cinder.quota_classes SET hard_limit = {limit} WHERE {which}"]

    def daemons(self) -> Sequence[Daemon]:
        argv = python("devcloud.daemons.cinder", *self.config_file("cinder.conf"))
        if not self.settings.full:
            return [Daemon("cinder", argv, {"DEVCLOUD_PARTS": " ".join(PARTS)})]
        return [Daemon(f"cinder-{part}", argv, {"DEVCLOUD_PARTS": part}) for part in PARTS]
