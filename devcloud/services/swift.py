# SPDX-License-Identifier: Apache-2.0
"""Swift."""

from collections.abc import Mapping, Sequence

from devcloud import ini
from devcloud.processes import Daemon, python
from devcloud.services.base import Service
from devcloud.settings import LOOPBACK

STORAGE = ("account", "container", "object")
PIPELINE = (
    "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl authtoken keystoneauth copy "
    "container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server"
)
"""Object versioning needs symlink in it."""
PLAIN = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "tempurl", "copy", "dlo", "symlink")
"""Filters with nothing to set."""


class Swift(Service):
    """One device, one copy; proxy and storage servers in one process."""

    name = "swift"
    catalog = {"swift": ("object-store", "/v1/AUTH_%(project_id)s")}
    probe = "/healthcheck"

    def files(self) -> Mapping[str, str]:
        return {
            "swift.conf": ini.render(
                {
                    "swift-hash": {"swift_hash_path_suffix": "devcloud", "swift_hash_path_prefix": "devcloud"},
                    "storage-policy:0": {"name": "gold", "default": "yes"},
                }
            ),
            "proxy-server.conf": ini.render(self._proxy()),
            **{f"{name}-server.conf": ini.render(self._storage(name)) for name in STORAGE},
        }

    def _common(self, port: str) -> ini.Section:
        return {
            "bind_ip": LOOPBACK,
            "bind_port": self.settings.port(port),
            "workers": 0,
            "user": "root",
            "swift_dir": self.etc,
            # Swift itself can log to syslog only.
            "log_custom_handlers": "devcloud.daemons.swift.log_to_stderr",
        }

    def _proxy(self) -> ini.Ini:
        return {
            "DEFAULT": self._common("swift"),
            "pipeline:main": {"pipeline": PIPELINE},
            "app:proxy-server": {
                "use": "egg:swift#proxy",
                "account_autocreate": True,
                "allow_account_management": True,
                "node_timeout": 60,
                "recoverable_node_timeout": 60,
                "conn_timeout": 5,
            },
            "filter:authtoken": {
                "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
                **ini.authtoken(self.settings, "swift"),
                "delay_auth_decision": True,
                # All services share what is known of a token: without a catalog for Swift, Nova would find none either.
                "include_service_catalog": True,
            },
            "filter:keystoneauth": {
                "use": "egg:swift#keystoneauth",
                "operator_roles": "admin, member, swiftoperator",
                "reseller_admin_role": "ResellerAdmin",
            },
            "filter:cache": {
                "use": "egg:swift#memcache",
                "memcache_servers": f"{LOOPBACK}:{self.settings.port('memcached')}",
            },
            # Tests want small segments; the default is 1 MiB.
            "filter:slo": {"use": "egg:swift#slo", "min_segment_size": 1},
            "filter:versioned_writes": {
                "use": "egg:swift#versioned_writes",
                "allow_versioned_writes": True,
                "allow_object_versioning": True,
            },
            "filter:container-quotas": {"use": "egg:swift#container_quotas"},
            "filter:account-quotas": {"use": "egg:swift#account_quotas"},
            "filter:proxy-logging": {"use": "egg:swift#proxy_logging"},
            **{f"filter:{name}": {"use": f"egg:swift#{name}"} for name in PLAIN},
        }

    def _storage(self, name: str) -> ini.Ini:
        return {
            "DEFAULT": {
                **self._common(f"swift-{name}"),
                "devices": self.settings.directory / "swift",
                "mount_check": False,
                "fallocate_reserve": 0,
                # Nobody runs who would do later what was not done in time.
                "conn_timeout": 20,
                "node_timeout": 60,
                "container_update_timeout": 60,
                "log_level": "WARNING",
            },
            "pipeline:main": {"pipeline": f"{name}-server"},
            f"app:{name}-server": {"use": f"egg:swift#{name}"},
        }

    def prepare(self) -> None:
        (self.settings.directory / "swift" / "device").mkdir(parents=True, exist_ok=True)

    def daemons(self) -> Sequence[Daemon]:
        return [Daemon("swift", python("devcloud.daemons.swift", self.etc))]
