# SPDX-License-Identifier: Apache-2.0
"""Instances, in the two sizes that Trove shows them. Lists are hot: everything common is made once a page."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dbflow.api.here import caller, endpoint, project_url, services
from dbflow.api.views import timestamp
from dbflow.db.models import utcnow
from dbflow.status import operating_status, public_status

View = Callable[[Any, Sequence[str]], dict[str, Any]]
"""(row of dbflow.services.rows, ids of its replicas) -> the instance as it is shown"""


class Viewer:
    """Shows instances to one caller at one time."""

    def __init__(self) -> None:
        self._project, self._base = project_url(), endpoint()
        self._expiry: float = services().conf.messaging.heartbeat_expiry
        self._now: datetime.datetime = utcnow()
        self._admin = caller().is_admin

    def links(self, collection: str, thing_id: str) -> list[dict[str, str]]:
        """Self and bookmark."""
        return [
            {"rel": "self", "href": f"{self._project}/{collection}/{thing_id}"},
            {"rel": "bookmark", "href": f"{self._base}/{collection}/{thing_id}"},
        ]

    def summary(self, row: Any, replicas: Sequence[str]) -> dict[str, Any]:
        """As in a list."""
        shown = {
            "id": row.id,
            "name": row.name,
            "status": public_status(row.task),
            "operating_status": operating_status(row.task, row.service_status, row.seen, self._now, self._expiry),
            "links": self.links("instances", row.id),
            "flavor": {"id": row.flavor_id, "links": self.links("flavors", row.flavor_id)},
            "datastore": {"type": row.datastore, "version": row.version},
            "region": row.region or "",
            "access": row.access,
        }
        if row.volume_size is not None:
            shown["volume"] = {"size": row.volume_size}
        if row.hostname:
            shown["hostname"] = row.hostname
        elif row.addresses:
            shown["ip"] = [address["address"] for address in row.addresses]
            shown["addresses"] = row.addresses
        if row.replica_of_id:
            shown["replica_of"] = self._replica(row.replica_of_id)
        if replicas:
            shown["replicas"] = [self._replica(replica) for replica in replicas]
        return shown

    def detail(self, row: Any, replicas: Sequence[str]) -> dict[str, Any]:
        """As when one is asked for."""
        shown = self.summary(row, replicas)
        shown["datastore"]["version_number"] = row.version_number
        shown["created"] = timestamp(row.created)
        shown["updated"] = timestamp(row.updated)
        shown["service_status_updated"] = timestamp(row.seen or row.updated)
        shown["encrypted_rpc_messaging"] = True
        if row.volume_size is not None and row.volume_used is not None:
            shown["volume"] |= self._used(row)
        if row.fault:
            shown["fault"] = self._fault(row.fault)
        if row.configuration_id:
            shown["configuration"] = {
                "id": row.configuration_id,
                "name": row.configuration,
                "links": self.links("configurations", row.configuration_id),
            }
        if row.locality:
            shown["locality"] = row.locality
        if self._admin:
            shown["tenant_id"] = row.project_id
            shown |= {key: getattr(row, key) for key in ("server_id", "volume_id") if getattr(row, key)}
        return shown

    def _replica(self, replica_id: str) -> dict[str, Any]:
        return {"id": replica_id, "links": self.links("instances", replica_id)}

    def _used(self, row: Any) -> dict[str, float]:
        total = row.volume_total or row.volume_size
        return {"used": round(row.volume_used, 2), "used_percent": round(100 * row.volume_used / total, 2)}

    def _fault(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        details = fault.get("details") if self._admin else None
        return {"message": fault.get("message", ""), "created": fault.get("created", ""), "details": details}
