# SPDX-License-Identifier: Apache-2.0
"""Tasks that run on a guest. The class path is the protocol: conductors name it, guests load it.

A guest task takes ``instance_id`` (its topic) in ``execute`` and, where it has one, in ``revert``. It is either
idempotent (``resumable = True``: run again after the agent died in its middle) or not (the flow is told and
reverts). On the guest, ``self.datastore`` is the machine's plug-in.
"""

import inspect
import threading
from typing import Any, ClassVar

from taskflow import atom

from dbflow.tasks import Task
from guest.datastores.base import Datastore
from guest.datastores.intents import REQUEST


class GuestTask(Task):
    """Base of every task that a flow runs on a guest."""

    resumable: ClassVar[bool] = True
    """Whether it may run again after it was interrupted in the middle."""
    deadline: ClassVar[float] = 600.0
    """Seconds the whole step may take, from the first request to the answer."""
    silence: ClassVar[float | None] = None
    """Seconds without a sign of life of the agent after which the step has failed; None: as ``[messaging]
    guest_lost_after`` says. Longer where the work goes on without the agent."""
    reads_only: ClassVar[bool] = False
    """Changes nothing, so it needs no journal (API look-ups)."""
    runs_on_a_full_volume: ClassVar[bool] = False
    """Makes room, or is in the way of what does, so it is done even when there is none to write it down first; it must
    be resumable."""

    beside: ClassVar[bool] = False
    """Takes long and is in nobody's way: other tasks do not wait for it, and its revert breaks it off (it looks at
    ``interrupted``)."""
    interruptible: ClassVar[bool] = False
    """Whether a cancelled flow goes back without waiting for its end: what is undone then ends it."""

    unanswered: ClassVar[frozenset[str]] = frozenset()
    """"execute", "revert": what is as good as done when the guest does not answer. Whoever waits for the others of its
    kind can go on then; what it is asked for later must do without."""

    _datastore: Datastore | None = None

    @classmethod
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # revert() gets only the arguments it names, and the topic is one of them.
        if cls.reverts_on_guest():
            takes = inspect.signature(cls.revert).parameters
            # TaskFlow also passes the result and the flow's failures.
            if "instance_id" not in takes or all(one.kind is not one.VAR_KEYWORD for one in takes.values()):
                raise TypeError(f"{cls.__name__}.revert() must take instance_id and **kwargs")

    @classmethod
    def reverts_on_guest(cls) -> bool:
        """Whether undoing it is work for the guest; a revert that does nothing stays with the conductor."""
        return cls.revert is not atom.Atom.revert

    @classmethod
    def path(cls) -> str:
        """The name under which conductor and guest know it."""
        return f"{cls.__module__}.{cls.__qualname__}"

    def bind(self, datastore: Datastore, request: str = "", interrupted: threading.Event | None = None) -> None:
        """Called by the agent before the task runs, in the thread it runs in. ``request`` is the same when the task
        is run again after an interruption; ``interrupted`` is set when it is to end."""
        self._datastore = datastore
        self.interrupted = interrupted or threading.Event()
        REQUEST.set(request)

    @property
    def datastore(self) -> Datastore:
        """The machine's plug-in; only on a guest."""
        if self._datastore is None:
            raise RuntimeError(f"{self.name} runs on a guest only")
        return self._datastore
