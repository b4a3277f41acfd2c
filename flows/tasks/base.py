# SPDX-License-Identifier: Apache-2.0
"""Tasks that run in a conductor, and what they may use there."""

import dataclasses
import functools
import inspect
import logging
import re
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from oslo_config import cfg

from dbflow import faults
from dbflow.cloud import guard
from dbflow.cloud.base import Cloud, CloudError, Unavailable
from dbflow.crypto import Keyring
from dbflow.fencing import Fence, StaleClaim
from dbflow.objectstore import ObjectStore
from dbflow.tasks import Task
from flows.tasks.tries import Tries

LOG = logging.getLogger(__name__)


_JUST = 0.1
"""Seconds."""


class GuestChannels(Protocol):
    """The broker's side of an instance's messages."""

    def declare_guest(self, instance_id: str) -> None:
        """Make the guest's user and queue; fine when they are there."""

    def delete_guest(self, instance_id: str) -> None:
        """Remove them; fine when they are gone."""

    def guest_url(self, instance_id: str) -> str:
        """With which the guest, and no other, connects to the broker."""


@dataclasses.dataclass(frozen=True)
class FlowContext:
    """What a running flow's local tasks work with."""

    fence: Fence
    """Every write goes through it."""
    keyring: Keyring
    cloud: Cloud
    objects: ObjectStore
    channels: GuestChannels
    guest_key: Callable[[str], bytes]
    """Instance id -> its message key."""
    conf: cfg.ConfigOpts


def dashed(class_name: str) -> str:
    """CreatePort -> create-port."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", class_name).lower()


class LocalTask(Task):
    """A task of the conductor: calls the cloud, writes records.

    It may be run again after a crash at any point, so ``execute`` looks before it makes and ``revert`` removes
    whatever there is. Reverts use arguments only: the result of a step that failed half-way is not known.

    A task that has to wait raises NotYet and is run again later; between two tries it holds no thread. A conductor
    that takes a flow over begins the attempt anew, and its time too.
    """

    deadline: ClassVar[float] = 600.0
    """Seconds for which an attempt waits for what is NotYet there, from its beginning."""
    patience: ClassVar[float] = 600.0
    """Seconds for which a call is tried again while our own database or broker is away."""
    tries: ClassVar[int] = 5
    """How often a call is tried while the cloud does not answer (and a revert, whatever the cloud says)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in {"execute", "revert"} & vars(cls).keys():
            setattr(cls, name, _fenced(vars(cls)[name]))

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name or dashed(type(self).__name__), **kwargs)
        self._context: FlowContext | None = None

    @property
    def transient_retries(self) -> int:
        """How often what has failed in the cloud for something transient is asked for anew."""
        retries: int = self.context.conf.cloud.transient_retries
        return retries

    def bind(self, context: FlowContext) -> None:
        """Called by the conductor before the flow runs."""
        self._context = context

    @property
    def context(self) -> FlowContext:
        """What the flow works with; only while it runs."""
        if self._context is None:
            raise RuntimeError(f"{self.name} is not part of a running flow")
        return self._context

    def _still_ours(self, within: float = 0.0) -> None:
        """StaleClaim when somebody else has claimed the operation, unless nobody had ``within`` so many seconds."""
        try:
            self.context.fence.confirm(within)
        except StaleClaim as stale:
            LOG.warning("step %s does nothing: %s", self.name, stale)
            raise

    def executing(self) -> Tries:
        """For one execution: what is tried again."""
        return Tries(self, Unavailable)

    def reverting(self) -> Tries:
        """For one revert: what is tried again."""
        return Tries(self, CloudError)


def _fenced(call: Callable[..., Any]) -> Callable[..., Any]:
    """One try."""

    @functools.wraps(call)
    def once(self: LocalTask, *args: Any, **kwargs: Any) -> Any:
        work = f"{self.name}.{call.__name__}"
        faults.point(f"{work}.called")
        # A claim that was overtaken while this thread slept must not make what nobody will look for. One that has just
        # saved that the step begins did not sleep; and what it makes, it asks for again, at the call.
        self._still_ours(_JUST)
        faults.point(f"{work}.fenced")
        with guard.checking(self._still_ours), faults.inside(work):
            result = call(self, *args, **kwargs)
        faults.point(f"{work}.returned", lost=Unavailable)
        return result

    # TaskFlow asks for it at every making of the task, and this spares it to look through the wrapper.
    once.__signature__ = inspect.signature(call)  # type: ignore[attr-defined]
    return once
