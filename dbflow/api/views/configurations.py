# SPDX-License-Identifier: Apache-2.0
"""Configuration groups and parameters."""

from typing import Any

from dbflow.api.views import timestamp


def summary(group: Any) -> dict[str, Any]:
    """As in a list; ``group`` is a dbflow.services.configurations.Group."""
    configuration, version = group.configuration, group.version
    return {
        "id": configuration.id,
        "name": configuration.name,
        "description": configuration.description,
        "created": timestamp(configuration.created),
        "updated": timestamp(configuration.updated),
        "datastore_version_id": version.id,
        "datastore_name": group.datastore,
        "datastore_version_name": version.name,
    }


def detail(group: Any) -> dict[str, Any]:
    """As when one is asked for."""
    return summary(group) | {
        "values": group.configuration.settings,
        "instance_count": group.instances,
        "datastore_version_number": group.version.version,
    }


def parameter(row: Any) -> dict[str, Any]:
    """As users see it: bounds only where there are any (0 is none, as Trove has it)."""
    bounds = {name: row.bounds[name] for name in ("max", "min") if row.bounds.get(name)}
    return _common(row) | bounds


def mgmt_parameter(row: Any) -> dict[str, Any]:
    """As administrators do."""
    bounds = {f"{name}_size": row.bounds[name] for name in ("max", "min") if row.bounds.get(name)}
    return _common(row) | {"deleted": row.deleted, "deleted_at": None} | bounds


def _common(row: Any) -> dict[str, Any]:
    return {
        "name": row.name,
        "datastore_version_id": row.datastore_version_id,
        "restart_required": row.restart_required,
        "type": row.type,
    }
