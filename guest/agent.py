# SPDX-License-Identifier: Apache-2.0
"""The guest agent: a TaskFlow worker on the topic of its instance.

It speaks TaskFlow's worker protocol and runs tasks by TaskFlow's endpoints. What the stock worker lacks is here:
a journal, so that a request asked again is answered and not done again; seals; signs of life.

Tasks that change something run one at a time, in the order in which they came, so that a revert waits for the
execution that it undoes. Tasks that only read run beside them. So do streams, which may take hours, one at a time;
their revert breaks them off.
"""

import contextlib
import contextvars
import functools
import logging
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

from dbflow import crypto, faults, logcontext
from dbflow.messaging import wire
from dbflow.messaging.connection import user_of
from dbflow.messaging.errors import MessageTooLarge
from dbflow.messaging.layout import HEARTBEAT, Layout
from dbflow.messaging.link import Envelope, Link
from guest import work
from guest.datastores.base import Datastore
from guest.journal import Interrupted, Journal, StaleRequest, Verdict, VolumeFull
from guest.registry import UnknownTask, task_class
from guest.running import Running
from guest.settings import Settings
from guest.tasks.base import GuestTask

LOG = logging.getLogger(__name__)
READERS = 7
MAX_RUNNING = 256
"""Requests taken at once; those beyond are asked again."""
OLDEST_CALL = 6 * 86400.0
"""Seconds after which a call of the API is not taken any more: the journal may have forgotten that it was done."""

UNDO_PAUSES = (0.3, 1.0, 3.0)
"""Seconds before each further try of a revert that failed."""


class Agent:
    """Takes requests from the guest's queue and answers them."""

    def __init__(
        self,
        settings: Settings,
        datastore: Datastore,
        journal: Journal,
        *,
        on_ready: Callable[[], None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_ready``: the broker is there (again). ``on_change``: a task that changes something has ended."""
        self._id, self._key = settings.instance_id, settings.key
        self._user = user_of(settings.url)
        self._datastore, self._journal, self._on_change = datastore, journal, on_change
        self._layout = Layout(settings.exchange)
        self._link = Link(
            settings.url, [self._layout.guest(self._id, declare=False)], self._on_message, on_ready=on_ready
        )
        self._writer = futures.ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._streams = futures.ThreadPoolExecutor(1, thread_name_prefix="stream")
        self._readers = futures.ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._running: dict[str, Running] = {}
        self._unanswered: set[futures.Future[None]] = set()
        """What is to be told before the agent goes."""
        self._lock = threading.Lock()

    @property
    def in_flight(self) -> int:
        """Requests taken and not yet answered."""
        return len(self._running)

    @property
    def busy(self) -> bool:
        """Whether a request is at work on the server."""
        with self._lock:
            return any(not running.beside for running in self._running.values())

    def start(self) -> None:
        """Begin to take requests. A server that ran before the machine went down is brought up first."""
        self.revive()
        self._link.start()

    def revive(self) -> None:
        """Bring the server up, after the changes in progress, if it should run and does not."""
        with contextlib.suppress(RuntimeError):  # the agent is stopping
            self._writer.submit(self._resume)

    def stop(self, grace: float) -> None:
        """Take no more requests, give those that run ``grace`` seconds to end, and go. Streams go on by themselves."""
        deadline = time.monotonic() + grace
        self._link.stop_receiving()
        for pool in (self._writer, self._streams, self._readers):
            pool.shutdown(wait=False)
        with self._lock:
            unanswered = tuple(self._unanswered)
        futures.wait(unanswered, max(0.0, deadline - time.monotonic()))
        self._link.stop()

    def _resume(self) -> None:
        try:
            self._datastore.lifecycle.resume()
        except Exception as error:
            LOG.error("the database server did not come up: %s", error)
        self._on_change()

    # -- requests

    def _on_message(self, message: Any) -> None:
        properties = message.properties
        request_id, asker = str(properties.get("correlation_id")), str(properties.get("reply_to"))
        try:
            if properties.get("type") != wire.REQUEST:
                raise wire.BadMessage("not a request")
            body = wire.unseal_request(self._key, wire.content(message), self._id, request_id, asker)
            with logcontext.at(logcontext.heard(body.get("about"))):
                self._take(wire.RequestId.parse(request_id), asker, body)
        except (crypto.BadSeal, wire.BadMessage) as error:
            LOG.warning("a message was refused: %s", error)

    def _take(self, request: wire.RequestId, asker: str, body: dict[str, Any]) -> None:
        try:
            found = task_class(body["task_cls"])
        except UnknownTask as error:
            self._reply(str(request), asker, work.refused(error))
            return
        if len(self._running) >= MAX_RUNNING and str(request) not in self._running:
            LOG.warning("too many requests at once")
        elif not (found.reads_only and request.action == wire.EXECUTE):
            self._admit(found, request, asker, body)
        elif not self._turn_to(str(request), asker):
            self._launch(found, request, asker, body, lambda: self._perform(found, body, request), self._readers)

    def _admit(self, found: type[GuestTask], request: wire.RequestId, asker: str, body: dict[str, Any]) -> None:
        if body["epoch"] == 0 and time.time() - body["issued"] > OLDEST_CALL:
            raise wire.BadMessage("a call made days ago")
        try:
            admission = self._journal.admit(request, body["epoch"], unwritten=found.runs_on_a_full_volume)
        except VolumeFull as error:
            LOG.error("%s is refused: %s", request, error)
            answer = work.refused(error)
            self._journal.answer(request, answer)
            self._reply(str(request), asker, answer)
            return
        if admission.answer is not None:
            self._reply(str(request), asker, admission.answer)
        elif admission.verdict is Verdict.STALE:
            LOG.warning("%s is out of date: a newer claim or attempt has asked", request)
            self._reply(str(request), asker, work.refused(StaleRequest(f"{request} is out of date")))
        elif admission.verdict is Verdict.RUNNING:
            self._turn_to(str(request), asker)
        else:
            again = admission.verdict is Verdict.RESUME
            job = functools.partial(self._change, found, body, request, again)
            if request.action == wire.REVERT:
                self._interrupt(lambda running, other: other.atom == request.atom)
            elif found.beside:
                # Whoever asked for it has given it up, perhaps while this guest could not be told.
                self._interrupt(lambda running, other: running.beside and other.action == wire.EXECUTE)
            self._launch(found, request, asker, body, job, self._streams if found.beside else self._writer)

    def _launch(
        self,
        found: type[GuestTask],
        request: wire.RequestId,
        asker: str,
        body: dict[str, Any],
        job: Callable[[], work.Answer],
        pool: futures.Executor,
    ) -> None:
        with self._lock:
            self._running[str(request)] = Running(asker, beside=found.beside)
        self._reply(str(request), asker, {"state": wire.RUNNING, "data": {}})
        with self._lock:
            ended = pool.submit(contextvars.copy_context().run, self._run, request, body["task_name"], job)
            if not found.beside:
                self._unanswered.add(ended)
        ended.add_done_callback(self._answered)
        if pool is self._writer:
            ended.add_done_callback(lambda _ended: self._on_change())

    def _answered(self, ended: futures.Future[None]) -> None:
        with self._lock:
            self._unanswered.discard(ended)

    def _turn_to(self, request_id: str, asker: str) -> bool:
        """Whoever asked last gets the events and the answer of what runs; False when it does not run."""
        with self._lock:
            running = self._running.get(request_id)
            if running is not None:
                running.asker = asker
        if running is not None:
            self._reply(request_id, asker, {"state": wire.RUNNING, "data": {}})
        return running is not None

    def _interrupt(self, given_up: Callable[[Running, wire.RequestId], bool]) -> None:
        """What runs for nobody any more."""
        with self._lock:
            for request_id, running in self._running.items():
                if given_up(running, wire.RequestId.parse(request_id)):
                    running.interrupted.set()

    # -- running

    def _run(self, request: wire.RequestId, step: str, job: Callable[[], work.Answer]) -> None:
        try:
            answer = job()
        except Exception as error:
            LOG.exception("request %s could not be answered properly", request)
            answer = work.refused(error)
        with self._lock:
            running = self._running.pop(str(request))
        faults.point(f"guest.{step}.{request.action}.reply")
        self._reply(str(request), running.asker, answer)

    def _perform(self, found: type[GuestTask], body: dict[str, Any], request: wire.RequestId) -> work.Answer:
        def on_progress(event_type: str, details: dict[str, Any]) -> None:
            running = self._running.get(str(request))
            if running is not None and running.progress(event_type, details):
                self._tell(str(request), running)

        interrupted = self._running[str(request)].interrupted
        return work.perform(found, body, self._datastore, str(request), on_progress, interrupted)

    def _change(
        self, found: type[GuestTask], body: dict[str, Any], request: wire.RequestId, again: bool
    ) -> work.Answer:
        try:
            begun = self._journal.begin(request, unwritten=found.runs_on_a_full_volume)
        except VolumeFull as error:
            answer = work.refused(error)
        else:
            if not begun:
                answer = work.refused(StaleRequest(f"{request} was overtaken"))
            elif again and not found.resumable:
                interrupted = f"{body['task_name']} was interrupted by a restart of the guest agent"
                answer = work.refused(Interrupted(interrupted))
            else:
                answer = self._persist(found, body, request)
        self._journal.answer(request, answer)
        return answer

    def _persist(self, found: type[GuestTask], body: dict[str, Any], request: wire.RequestId) -> work.Answer:
        """What can't be undone at once is tried again before the flow is told that it can't be undone."""
        answer = self._perform(found, body, request)
        for pause in UNDO_PAUSES if request.action == wire.REVERT else ():
            if answer["state"] == wire.SUCCESS:
                break
            time.sleep(pause)
            answer = self._perform(found, body, request)
        return answer

    # -- sending

    def beat(self) -> None:
        """Tell every asker that the guest is still at work."""
        with self._lock:
            running = list(self._running.items())
        for request_id, one in running:
            self._tell(request_id, one)

    def heartbeat(self, body: dict[str, Any]) -> None:
        """Tell the control plane how the guest is."""
        self._link.send(
            Envelope(
                exchange=self._layout.up,
                routing_key=HEARTBEAT,
                body=wire.seal_heartbeat(self._key, body, self._id),
                type=wire.HEARTBEAT,
                user_id=self._user,
                headers={wire.INSTANCE_HEADER: self._id},
            )
        )

    def _tell(self, request_id: str, running: Running) -> None:
        event_type, details = running.news()
        self._reply(
            request_id, running.asker, {"state": wire.EVENT, "data": {"event_type": event_type, "details": details}}
        )

    def _reply(self, request_id: str, asker: str, answer: work.Answer) -> None:
        """Not sent now is not lost: whoever waits for it asks again."""
        try:
            body = wire.seal_response(self._key, answer["state"], answer["data"], self._id, request_id, asker)
        except (MessageTooLarge, TypeError, ValueError) as error:
            LOG.error("an answer to %s can't be sent: %s", request_id, error)
            return
        self._link.send(
            Envelope(
                exchange=self._layout.up,
                routing_key=asker,
                body=body,
                type=wire.RESPONSE,
                user_id=self._user,
                correlation_id=request_id,
            )
        )
