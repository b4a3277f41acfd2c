# SPDX-License-Identifier: Apache-2.0
"""Names of instances in Designate's zone."""

import ipaddress

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.names import Names
from dbflow.cloud.openstack.waiting import Waiting


class HostNames:
    """<instance id>.<zone>, one an instance; none where no zone is configured."""

    def __init__(self, designate: Service, names: Names, waiting: Waiting, zone: str | None, ttl: int) -> None:
        """``zone`` ends in a dot; ``ttl`` in seconds."""
        self._designate, self._names, self._waiting, self._zone, self._ttl = designate, names, waiting, zone, ttl

    def ensure(self, instance_id: str, address: str) -> str | None:
        """Let the instance's name lead to the address; the name, without a dot at its end."""
        if self._zone is None:
            return None
        name, named = f"{instance_id}.{self._zone}", _named(instance_id)
        kind = "AAAA" if ipaddress.ip_address(address).version == 6 else "A"
        zone_id = self._zone_id()
        if zone_id is None:
            raise base.CloudError(f"DNS zone {self._zone} cannot be found.")
        record = next((one for one in self._records(zone_id, name=name) if one["type"] == kind), None)
        if record is None:
            guard.still_wanted()
            body = {
                "name": name,
                "type": kind,
                "ttl": self._ttl,
                "records": [address],
                "description": self._names.of(instance_id),
            }
            record = self._designate.post(named, f"/zones/{zone_id}/recordsets", body)
        elif record["records"] != [address] and record["status"] != "PENDING":
            record = self._designate.put(named, f"/zones/{zone_id}/recordsets/{record['id']}", {"records": [address]})
        if record["status"] != "ACTIVE":
            # Designate tries those in ERROR again, every two minutes by default.
            failed = ", which the DNS service has failed to publish" if record["status"] == "ERROR" else ""
            raise self._waiting.since(record.get("updated_at") or record.get("created_at"), named + failed)
        return name.rstrip(".")

    def delete(self, instance_id: str) -> None:
        """Fine when there is none; returns when it is gone."""
        zone_id = self._zone_id()
        if zone_id is None:
            return
        found = self._records(zone_id, name=f"{instance_id}.{self._zone}")
        for record in found:
            if record.get("action") != "DELETE" or record["status"] == "ERROR":
                self._designate.delete(_named(instance_id), f"/zones/{zone_id}/recordsets/{record['id']}")
        if found:
            raise self._waiting.soon(f"{_named(instance_id)} to be removed")

    def all(self) -> list[Json]:
        """Whatever is described as ours are."""
        zone_id = self._zone_id()
        records = [] if zone_id is None else self._records(zone_id)
        return [one for one in records if (one.get("description") or "").startswith(self._names.prefix)]

    def lost(self) -> bool:
        """Whether a zone is configured that is not there."""
        return self._zone is not None and self._zone_id() is None

    def _zone_id(self) -> str | None:
        """None where none is configured, or it is gone with all its names."""
        if self._zone is None:
            return None
        zones = self._designate.list("DNS zones", "/zones", "zones", {"name": self._zone})
        return next((str(zone["id"]) for zone in zones), None)

    def _records(self, zone_id: str, **query: str) -> list[Json]:
        return list(self._designate.list("DNS names", f"/zones/{zone_id}/recordsets", "recordsets", query))


def _named(instance_id: str) -> str:
    return f"DNS name of instance {instance_id}"
