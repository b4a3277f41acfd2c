# SPDX-License-Identifier: Apache-2.0
"""Events on their way: a row each, in the transaction of what it tells of."""

import dataclasses
import json
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from oslo_config import cfg
from sqlalchemy import insert
from sqlalchemy.orm import Session

from dbflow.db.models import Notification
from dbflow.notifications.switch import is_on

Payload = Mapping[str, Any]
API, TASKMANAGER = "api", "taskmanager"
"""Which of Trove's services the reader of an event takes us for."""
UNKNOWN_SERVICE = "unknown-service-id-error"


@dataclasses.dataclass(frozen=True)
class Outbox:
    """Where events are put; when it is off, nothing is."""

    on: bool = False
    host: str = ""
    service_ids: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Datastore manager -> the service id of its usage."""

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Outbox":
        """As the process's configuration has it."""
        group = conf.notifications
        return cls(is_on(conf), group.host or socket.gethostname(), group.service_ids)

    def put(self, session: Session, service: str, event_type: str, payload: Payload, context: Payload) -> None:
        """One event. ``context``: whose request it comes of."""
        self.put_all(session, service, event_type, [payload], context)

    def put_all(
        self, session: Session, service: str, event_type: str, payloads: Iterable[Payload], context: Payload
    ) -> None:
        """Several of one type."""
        common = {"event_type": event_type, "publisher_id": f"{service}.{self.host}", "context": dict(context)}
        rows = [common | {"payload": json.dumps(payload)} for payload in payloads] if self.on else []
        if rows:
            session.execute(insert(Notification), rows)

    def service_id(self, manager: str | None) -> str:
        """Of a datastore manager."""
        return self.service_ids.get(manager or "", UNKNOWN_SERVICE)
