# SPDX-License-Identifier: Apache-2.0
"""Writes to the instance's row, each through the fence of the claim."""

from typing import Any

from sqlalchemy import update

from dbflow.db.health import save_health
from dbflow.db.models import Instance, RootHistory, utcnow
from dbflow.fencing import Fence
from flows.tasks.base import LocalTask


def update_instance(fence: Fence, instance_id: str, **columns: Any) -> None:
    """Set columns of an instance."""
    with fence.write() as session:
        session.execute(update(Instance).where(Instance.id == instance_id).values(**columns, updated=utcnow()))


class RecordRestart(LocalTask):
    """Record whether the server must be restarted for some of its values."""

    def execute(self, instance_id: str, restart_required: bool) -> None:
        """``restart_required``: what guest.tasks.configuration.ApplyConfiguration returns."""
        update_instance(self.context.fence, instance_id, restart_required=restart_required)

    def revert(self, instance_id: str, old_restart_required: bool, **_: Any) -> None:
        """As it was."""
        update_instance(self.context.fence, instance_id, restart_required=old_restart_required)


class RecordRoot(LocalTask):
    """Record that the restored data has an administrator who can log in from outside."""

    def execute(self, instance_id: str, root_enabled: bool) -> None:
        """``root_enabled``: what guest.tasks.accounts.RootEnabled returned."""
        if not root_enabled:
            return
        with self.context.fence.write() as session:
            if session.get(RootHistory, instance_id) is None:
                user_id = session.get_one(Instance, instance_id).user_id
                session.add(RootHistory(instance_id=instance_id, user_id=user_id))


class RecordAccess(LocalTask):
    """Record who may reach the instance."""

    def execute(self, instance_id: str, access: dict[str, Any]) -> None:
        """``access`` as the API shows it."""
        update_instance(self.context.fence, instance_id, access=access)

    def revert(self, instance_id: str, old_access: dict[str, Any], **_: Any) -> None:
        """As it was."""
        update_instance(self.context.fence, instance_id, access=old_access)


class RecordHealth(LocalTask):
    """Record the guest's state, so that the instance is seen as healthy when it is seen as active."""

    def execute(self, instance_id: str, health: dict[str, Any] | None) -> None:
        """``health``: what guest.tasks.status.Status returns; None where its guest did not answer."""
        if health is None:
            return
        row = {
            "instance_id": instance_id,
            "seen": utcnow(),
            "at": health["at"],
            "service_status": health["service_status"],
            "datastore_version": health.get("version"),
            "agent_version": None,
            "volume_used": None,
            "volume_total": None,
            "position": health.get("position"),
            "load": dict(health.get("load") or {}),
            "in_flight": 0,
        }
        with self.context.fence.write() as session:
            save_health(session, [row])
