# SPDX-License-Identifier: Apache-2.0
"""The instance's messages: its key, its user at the broker and its queue."""

import base64
from typing import Any

from dbflow.crypto import new_message_key
from dbflow.db.models import Instance
from flows.tasks.base import LocalTask
from flows.tasks.record import update_instance


class OpenChannel(LocalTask):
    """Make the instance's message key, broker user and queue."""

    def execute(self, instance_id: str) -> None:
        """The key stays in its row, sealed; it is not passed on between tasks."""
        with self.context.fence.write() as session:
            instance = session.get_one(Instance, instance_id)
            if instance.guest_key is None:
                key = base64.b64encode(new_message_key()).decode()
                instance.guest_key = self.context.keyring.seal(key)
        self.context.channels.declare_guest(instance_id)
        if self._is_gone(instance_id):
            self.context.channels.delete_guest(instance_id)

    def _is_gone(self, instance_id: str) -> bool:
        """Whether others took the channel away while this conductor was paused in the middle of making it."""
        with self.context.fence.database.read() as session:
            instance = session.get_one(Instance, instance_id)
            return instance.deleted or instance.guest_key is None

    def revert(self, instance_id: str, **_: Any) -> None:
        """Remove user, queue and key."""
        self.context.channels.delete_guest(instance_id)
        update_instance(self.context.fence, instance_id, guest_key=None)


class CloseChannel(LocalTask):
    """Remove the instance's broker user, queue and message key."""

    def execute(self, instance_id: str) -> None:
        """The key goes last: whatever is still queued must stay unreadable to others, not to us."""
        self.context.channels.delete_guest(instance_id)
        update_instance(self.context.fence, instance_id, guest_key=None)
