# SPDX-License-Identifier: Apache-2.0
"""Neutron."""

from collections.abc import Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, call
from devcloud.services.base import Service
from devcloud.settings import HOST, LOOPBACK

ENTRY_POINTS = "[neutron.ml2.mechanism_drivers]\ndevcloud = devcloud.drivers.network:Mechanism\n"
"""How Neutron finds its driver."""


class Neutron(Service):
    """No agents: ``devcloud.drivers.network`` binds the ports, ``devcloud.guests`` wires them."""

    name = "neutron"
    databases = ("neutron",)
    catalog = {"neutron": ("network", "")}

    def files(self) -> Mapping[str, str]:
        settings = self.settings
        return {
            "neutron.conf": ini.render(
                {
                    "DEFAULT": {**ini.common(settings), **self._default()},
                    "ml2": {
                        "type_drivers": "flat,vlan,vxlan,local",
                        "tenant_network_types": "vxlan",
                        "mechanism_drivers": "devcloud",
                        "extension_drivers": "port_security,dns",
                        "path_mtu": 1500,
                    },
                    "ml2_type_flat": {"flat_networks": "public"},
                    "ml2_type_vxlan": {"vni_ranges": "1:10000"},
                    "securitygroup": {"enable_security_group": True},
                    "quotas": {
                        "quota_network": 1000,
                        "quota_subnet": 1000,
                        "quota_port": 5000,
                        "quota_security_group": 5000,
                        "quota_security_group_rule": 50000,
                        "quota_floatingip": 1000,
                        "quota_router": 1000,
                    },
                    "nova": ini.client(settings, "nova"),
                    "placement": ini.client(settings, "placement"),
                    "keystone_authtoken": ini.authtoken(settings, "neutron"),
                    "database": ini.database(settings, "neutron"),
                    **ini.shared(settings),
                }
            )
        }

    def _default(self) -> ini.Section:
        return {
            "host": HOST,
            "bind_host": LOOPBACK,
            "bind_port": self.settings.port("neutron"),
            # One API process needs 14 s for what six servers ask at once, two 10 s.
            "api_workers": 2,
            "rpc_workers": 0,
            "rpc_state_report_workers": 0,
            "metadata_workers": 0,
            "auth_strategy": "keystone",
            "core_plugin": "ml2",
            "service_plugins": "router",
            "state_path": self.settings.directory / "neutron",
            "transport_url": self.settings.transport_url,
            "api_paste_config": self.paste,
            "dns_domain": "devcloud.test.",
            # Else ports wait for a DHCP agent.
            "dhcp_agent_notification": False,
            "enable_traditional_dhcp": False,
            "dhcp_load_type": "networks",
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
            "global_physnet_mtu": 1500,
        }

    def prepare(self) -> None:
        (self.settings.directory / "neutron").mkdir(exist_ok=True)

    def migrations(self) -> Sequence[Sequence[str]]:
        upgrade = call("neutron.db.migration.cli:main", *self.config_file("neutron.conf"), "upgrade", "heads")
        return [upgrade]

    def daemons(self) -> Sequence[Daemon]:
        return [Daemon("neutron", call("neutron.cmd.eventlet.server:main", *self.config_file("neutron.conf")))]
