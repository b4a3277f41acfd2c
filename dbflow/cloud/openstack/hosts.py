# SPDX-License-Identifier: Apache-2.0
"""Hosts of servers, which Nova tells administrators only."""

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.nova import HOST


class Hosts:
    """Those that have a nova-compute."""

    def __init__(self, compute: Service) -> None:
        self._compute = compute

    def usable(self) -> list[str]:
        """Names of those that are up and enabled."""
        return sorted(one["host"] for one in self._list() if one["status"] == "enabled" and one["state"] == "up")

    def is_down(self, server: Json) -> bool:
        """Whether nobody does what this server is asked for until its host is back; False where that can't be told.

        Nova notices it ``service_down_time`` seconds (60) after the host has gone, or when an administrator says so.
        """
        host = server.get(HOST)
        if not host:
            return False
        try:
            return any(one["host"] == host and one["state"] == "down" for one in self._list(host=host))
        except base.Unavailable:
            raise
        except base.CloudError:
            return False

    def _list(self, **query: str) -> list[Json]:
        found: list[Json] = self._compute.get("Hosts", "/os-services", {"binary": "nova-compute", **query})["services"]
        return found
