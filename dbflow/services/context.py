# SPDX-License-Identifier: Apache-2.0
"""Who asks, and what the services need to answer."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from oslo_config import cfg
from sqlalchemy.orm import Session

from dbflow import faults
from dbflow.cloud.base import Images, Server, Wish
from dbflow.crypto import Keyring
from dbflow.db.models import Operation
from dbflow.db.session import Database
from dbflow.healthcheck import Probe
from dbflow.metrics import Metrics
from dbflow.notifications.outbox import Outbox
from dbflow.objectstore import ObjectStore
from dbflow.services.flavors import FlavorCache
from dbflow.services.guests import GuestCalls

if TYPE_CHECKING:
    from dbflow.jobboard import JobView  # takes a second to import

LOG = logging.getLogger(__name__)


class Once(Protocol):
    """The claim of an Idempotency-Key by the request that carries it."""

    def accepted(self, session: Session, operation_id: str | None, target_id: str) -> None:
        """Remember, in the transaction that accepts the operation (None: that makes the target, which needs none),
        what the key now stands for."""


class Machines(Protocol):
    """What the services ask a cloud about its servers; see dbflow.cloud.base.Servers."""

    def hosts(self) -> list[str]: ...

    def get(self, instance_id: str) -> Server: ...

    def several(self, instance_ids: Sequence[str]) -> dict[str, Server]: ...


@dataclasses.dataclass(slots=True)
class Caller:
    """Who asks, for which project."""

    user_id: str
    project_id: str
    roles: frozenset[str]
    request_id: str
    is_admin: bool = False
    client_ip: str = ""
    server_ip: str = ""
    """Host (and port) that the request was sent to."""
    token: str = dataclasses.field(default="", repr=False)
    """What the request came with: for services that are asked in its user's name."""
    once: Once | None = None


@dataclasses.dataclass
class Services:
    """What the services work with; one a process."""

    conf: cfg.ConfigOpts
    database: Database
    keyring: Keyring
    flavors: FlavorCache
    images: Images
    machines: Machines
    guests: GuestCalls
    objects: ObjectStore
    post: Callable[[Operation], object]
    """Puts the job of an accepted operation on the board; may fail, since the leader posts again."""
    board: "Callable[[], Sequence[JobView]]"
    """What is on the board now; raises BoardUnavailable."""
    check_wish: Callable[[Wish], None]
    """See dbflow.cloud.base.Cloud.check."""
    outbox: Outbox = dataclasses.field(default_factory=Outbox)
    """Of notifications."""
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    probes: Mapping[str, Probe] = dataclasses.field(default_factory=dict)
    """Of what this process can't do without; for its health check."""

    def post_accepted(self, operation: Operation) -> None:
        """After the commit, also of one that is to go on. The answer is 202 even if the board is away."""
        faults.point("operation.accepted")
        if operation.attempts == 0:  # not one that is to go on
            self.metrics.accepted(operation.kind)
            LOG.info("operation %s accepted: %s of %s", operation.id, operation.kind, operation.target_id)
        try:
            self.post(operation)
        except Exception as error:
            LOG.warning("operation %s will be posted by the leader: %s", operation.id, type(error).__name__)
