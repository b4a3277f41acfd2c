# SPDX-License-Identifier: Apache-2.0
"""Nova."""

from collections.abc import Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, call, python
from devcloud.services.base import Service
from devcloud.settings import HOST, LOOPBACK, REGION

FILTERS = "ComputeFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter"


class Nova(Service):
    """Servers are namespaces of this machine: ``devcloud.guests``."""

    name = "nova"
    databases = ("nova", "nova_api", "nova_cell0")
    catalog = {"nova": ("compute", "/v2.1")}

    def files(self) -> Mapping[str, str]:
        """Each compute host after the first has a file that names it."""
        more = {f"{host}.conf": ini.render({"DEFAULT": {"host": host}}) for host in self.settings.hosts[1:]}
        return {"nova.conf": ini.render(self._configuration()), **more}

    def _configuration(self) -> ini.Ini:
        settings = self.settings
        return {
            "DEFAULT": {**ini.common(settings), **self._default()},
            "api": {"auth_strategy": "keystone"},
            "wsgi": {"api_paste_config": self.paste},
            "database": ini.database(settings, "nova"),
            "api_database": ini.database(settings, "nova_api"),
            "keystone_authtoken": ini.authtoken(settings, "nova"),
            "service_user": {**ini.client(settings, "nova"), "send_service_user_token": True},
            "placement": ini.client(settings, "placement"),
            "neutron": {**ini.client(settings, "neutron"), "service_metadata_proxy": False},
            "cinder": {**ini.client(settings, "nova"), "os_region_name": REGION},
            "glance": ini.client(settings, "nova"),
            "notifications": {"notification_format": "both", "notify_on_state_change": "vm_and_task_state"},
            "conductor": {"workers": 1},
            "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 30},
            "quota": {"instances": 500, "cores": 2000, "ram": 2000000, "server_groups": 200},
            "filter_scheduler": {"enabled_filters": FILTERS, "track_instance_changes": False},
            "vnc": {"enabled": False},
            "workarounds": {"disable_rootwrap": True},
            "devcloud": {"dir": settings.directory},
            **ini.shared(settings),
        }

    def _default(self) -> ini.Section:
        place = self.settings.directory / "nova"
        return {
            "host": HOST,
            "my_ip": LOOPBACK,
            "state_path": place,
            "instances_path": place / "instances",
            "transport_url": self.settings.transport_url,
            "compute_driver": "devcloud.Driver",
            "enabled_apis": "osapi_compute,metadata",
            "osapi_compute_listen": LOOPBACK,
            "osapi_compute_listen_port": self.settings.port("nova"),
            "osapi_compute_workers": 1,
            "metadata_listen": LOOPBACK,
            "metadata_listen_port": self.settings.port("nova-metadata"),
            "metadata_workers": 1,
            "service_down_time": 60,
            "report_interval": 10,
            "allow_resize_to_same_host": True,
            "update_resources_interval": 60,
            # How long a server that died may still be ACTIVE.
            "sync_power_state_interval": 30,
            "cpu_allocation_ratio": 100,
            "ram_allocation_ratio": 100,
            "disk_allocation_ratio": 100,
            "reserved_host_memory_mb": 0,
            "rootwrap_config": "",
            "resume_guests_state_on_host_boot": True,
            "instance_usage_audit": False,
            "running_deleted_instance_action": "noop",
        }

    def prepare(self) -> None:
        (self.settings.directory / "nova" / "instances").mkdir(parents=True, exist_ok=True)
        for name in ("guests", "networks"):
            (self.settings.directory / name).mkdir(exist_ok=True)

    def migrations(self) -> Sequence[Sequence[str]]:
        manage = call("nova.cmd.manage:main", *self.config_file("nova.conf"))
        cell0, cell1 = self.settings.database("nova_cell0"), self.settings.database("nova")
        create = ["create_cell", "--name", "cell1", "--database_connection", cell1]
        return (
            [*manage, "api_db", "sync"],
            [*manage, "cell_v2", "map_cell0", "--database_connection", cell0],
            [*manage, "cell_v2", *create, "--transport-url", self.settings.transport_url],
            [*manage, "db", "sync"],
        )

    def statements(self) -> Sequence[str]:
        """Which hosts there are: ``nova-manage cell_v2 discover_hosts`` would take four seconds."""
        columns = "INSERT INTO nova_api.host_mappings (created_at, cell_id, host)"
        return [
            f"{columns} SELECT NOW(), id, '{host}' FROM nova_api.cell_mappings WHERE name = 'cell1'"
            for host in self.settings.hosts
        ]

    def daemons(self) -> Sequence[Daemon]:
        argv = python("devcloud.daemons.nova", *self.config_file("nova.conf"))
        if not self.settings.full:
            return [Daemon("nova", argv, {"DEVCLOUD_PARTS": "conductor scheduler compute api"})]
        files = [(), *(self.config_file(f"{host}.conf") for host in self.settings.hosts[1:])]
        computes = [
            Daemon(f"nova-compute{number}", [*argv, *more], {"DEVCLOUD_PARTS": "compute"})
            for number, more in enumerate(files, 1)
        ]
        one, two, api = (Daemon(f"nova-{part}", argv, {"DEVCLOUD_PARTS": part}) for part in self._SINGLE)
        return [one, two, *computes, api]

    _SINGLE = ("conductor", "scheduler", "api")
