# SPDX-License-Identifier: Apache-2.0
"""Modules."""

from typing import Any

from dbflow.api.views import timestamp
from dbflow.db.modules import ALL


def summary(shown: Any) -> dict[str, Any]:
    """As in a list; ``shown`` is a dbflow.services.modules.Shown."""
    module = shown.module
    return {
        "id": module.id,
        "name": module.name,
        "type": module.type,
        "description": module.description,
        "tenant_id": module.project_id,
        "datastore_id": module.datastore_id,
        "datastore_version_id": module.datastore_version_id,
        "auto_apply": module.auto_apply,
        "priority_apply": module.priority_apply,
        "apply_order": module.apply_order,
        "is_admin": module.is_admin,
        "md5": module.md5,
        "visible": module.visible,
        "created": timestamp(module.created),
        "updated": timestamp(module.updated),
        "tenant": module.project_id or ALL,
        "datastore": shown.datastore,
        "datastore_version": shown.version,
    }


def detail(shown: Any) -> dict[str, Any]:
    """As when one is asked for."""
    return summary(shown) | {"live_update": shown.module.live_update, "instance_count": shown.instances}


def applied(one: Any) -> dict[str, Any]:
    """As an instance has it: contents and times are those of its own; ``one`` is a
    dbflow.services.instance_modules.Applied."""
    has = {"md5": one.has.md5 or "", "created": timestamp(one.has.created), "updated": timestamp(one.has.updated)}
    return summary(one.shown) | {"live_update": one.shown.module.live_update} | has


def count(one: Any) -> dict[str, Any]:
    """How many instances have it; ``one`` is a dbflow.services.module_instances.Count."""
    return {
        "module_id": one.module.id,
        "module_name": one.module.name,
        "module_md5": one.md5,
        "instance_count": one.instances,
        "current": one.md5 == one.module.md5,
        "min_updated_date": timestamp(one.first),
        "max_updated_date": timestamp(one.last),
    }
