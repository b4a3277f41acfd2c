# SPDX-License-Identifier: Apache-2.0
"""Asks guests to do things: one dispatcher a process, for every engine and for the API's own calls.

One reply queue, one receiving thread, no discovery of workers: the instance id is the topic. Requests are sent
again until the guest says that it is at work, and again when it falls silent; guests do no request twice.
"""

import collections
import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any

from taskflow.types import failure

from dbflow import crypto
from dbflow.messaging import wire
from dbflow.messaging.connection import connection, opened
from dbflow.messaging.errors import BrokerUnavailable, GuestLost, GuestOverdue, GuestRefused, GuestUnreachable
from dbflow.messaging.heartbeats import Heartbeats, OnHeartbeat
from dbflow.messaging.layout import Layout, guest_of
from dbflow.messaging.link import Envelope, Link
from dbflow.messaging.logins import Logins, SharedLogin
from dbflow.messaging.pending import OnEvent, Pending
from dbflow.messaging.rates import Rates
from dbflow.messaging.warden import Warden

LOG = logging.getLogger(__name__)
EVENT_THREADS = 4
BEAT = 4.0
"""Seconds within which this process and RabbitMQ must hear of each other."""
_LOOK = 0.5
"""Seconds between two looks of a call at what became of it."""
FIND_BROKER = 2.0
"""Seconds that a call of the API waits for a broker that is away."""


class _Throttled(Exception):
    """One guest, whose instance id this says, sends more than is taken from it."""


class Dispatcher:
    """See the module. Every method may be called from any thread."""

    def __init__(
        self,
        url: str,
        prefix: str,
        name: str,
        key_of: Callable[[str], bytes],
        *,
        resend: float = 2.0,
        guest_lost_after: float = 30.0,
        pending_timeout: float = 120.0,
        take_call: float = 120.0,
        on_heartbeat: OnHeartbeat | None = None,
        logins: Logins | None = None,
    ) -> None:
        """``name`` is unique for each start of a process. ``key_of(instance id)`` gives the instance's message key
        and raises for one that is not there. All times in seconds. ``on_heartbeat(instance id, heartbeat)`` is
        called in a thread of its own, only if given does this process take heartbeats. ``logins``: guests' at the
        broker; by default they share that of ``url``.
        """
        self._url, self._name, self._key_of = url, name, key_of
        self._layout = Layout(prefix)
        self._logins: Logins = logins or SharedLogin(url)
        self._rates = Rates()
        self._resend, self._lost_after, self._pending_timeout = resend, guest_lost_after, pending_timeout
        self._take_call = take_call
        self._pending: dict[str, Pending] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._events = futures.ThreadPoolExecutor(EVENT_THREADS, thread_name_prefix="progress")
        self.stats: collections.Counter[str] = collections.Counter()
        """Messages by what became of them: answered, late, odd, forged, throttled, heartbeats, heartbeats_refused …
        And ``cut_off``, the guests that flooded."""
        self._warden = Warden(self._logins, self.stats, lets_back=on_heartbeat is not None)
        queues = [self._layout.asker(name)]
        self._heartbeats: Heartbeats | None = None
        if on_heartbeat is not None:
            self._heartbeats = Heartbeats(key_of, on_heartbeat, self.stats)
            queues.append(self._layout.heartbeats())
        self._link = Link(
            url,
            queues,
            self._on_message,
            exchanges=[self._layout.down, self._layout.up],
            on_ready=self._resend_all,
            beat=BEAT,
            receipts=True,  # strangers write to these queues; what comes again changes nothing
        )
        self._clock = threading.Thread(target=self._keep_time, name="dispatcher-clock", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether the broker is there."""
        return self._link.ready

    def ping(self) -> None:
        """BrokerUnavailable when the broker is away, which a silent one is found to be within two BEATs."""
        if not self.ready:
            raise BrokerUnavailable("not connected to the broker")

    def start(self) -> None:
        """Returns at once, whether there is a broker or not."""
        if self._heartbeats is not None:
            self._heartbeats.start()
        self._link.start()
        self._clock.start()
        self._warden.start()

    def stop(self) -> None:
        """Stop asking. Futures of requests that are not answered yet stay unfinished: guests go on, and the next
        conductor asks again."""
        self._stopping = True
        self._wake.set()
        self._link.stop()
        if self._clock.ident is not None:
            self._clock.join(5)
        if self._heartbeats is not None:
            self._heartbeats.stop()
        self._warden.stop()
        self._events.shutdown(wait=False)

    def submit(self, request: wire.GuestRequest, on_event: OnEvent | None = None) -> futures.Future[Any]:
        """Ask. The future's result is what the task returned, or a taskflow Failure: of the guest's task, or of
        GuestUnreachable, GuestLost, GuestOverdue. It never raises. While the broker is away no time-out runs.

        ``on_event`` is called by a thread of a small pool. What ``key_of`` raises, and MessageTooLarge, are
        raised here.
        """
        return self._submit(request, on_event).future

    def _submit(self, request: wire.GuestRequest, on_event: OnEvent | None = None) -> Pending:
        pending = Pending(request, self._key_of(request.instance_id), on_event, self._events)
        envelope = self._envelope(pending)
        with self._lock:
            replaced = self._pending.get(str(request.id))
            self._pending[str(request.id)] = pending
        if replaced is not None:  # by a newer claim of the same operation, in this process
            replaced.fail(GuestLost(f"guest {request.instance_id} was asked by a newer claim"))
        self._wake.set()
        self._send(pending, envelope)
        return pending

    def withdraw(self, request: wire.RequestId, answer: futures.Future[Any]) -> None:
        """Ask no more for ``answer``: somebody else goes on with it, and it stays unfinished. Fine when it came, or
        when a newer claim asks the same."""
        with self._lock:
            pending = self._pending.get(str(request))
            if pending is not None and pending.future is answer:
                del self._pending[str(request)]

    def call(self, instance_id: str, task: str, arguments: Mapping[str, Any], timeout: float) -> Any:
        """Have a guest do one thing now, and wait: what the task (its class path) returned.

        Raises GuestUnreachable (also its kinds) after ``timeout`` seconds, or ``take_call`` if the guest has not taken
        it by then; BrokerUnavailable soon when the broker is away; GuestRefused when the task failed.
        """
        if not self._link.wait_ready(FIND_BROKER):
            raise BrokerUnavailable("the broker does not answer")
        request = wire.GuestRequest(
            instance_id=instance_id,
            id=wire.RequestId(str(uuid.uuid4()), wire.EXECUTE, 1),
            task=task,
            name=task,
            arguments={**arguments, "instance_id": instance_id},
            deadline=timeout,
        )
        pending = self._submit(request)
        try:
            result = self._answer(pending, timeout)
        finally:
            self._remove(pending)
        if isinstance(result, failure.Failure):
            raise _as_error(result)
        return result

    def _answer(self, pending: Pending, timeout: float) -> Any:
        """Of a call, as long as it makes sense to wait for it."""
        end, take_by = pending.made + timeout, pending.made + min(self._take_call, timeout)
        while True:
            now = time.monotonic()
            if not self._link.ready and not pending.future.done():
                raise BrokerUnavailable("the broker went away")
            if now > (end if pending.accepted else take_by):
                what = "did not answer" if pending.accepted else "did not take it"
                raise GuestUnreachable(f"guest {pending.request.instance_id} {what} within {now - pending.made:.0f} s")
            with contextlib.suppress(futures.TimeoutError):
                return pending.future.result(_LOOK)

    def declare_guest(self, instance_id: str) -> None:
        """Make the guest's user and queue; fine when they are there. Raises BrokerUnavailable."""
        self._logins.open(instance_id, self._key_of(instance_id))
        with self._broker() as conn:
            self._layout.guest(instance_id)(conn.channel()).declare()

    def delete_guest(self, instance_id: str) -> None:
        """Delete the guest's user and queue; fine when they are gone. Requests to that guest fail. Raises
        BrokerUnavailable."""
        with self._lock:
            gone = [pending for pending in self._pending.values() if pending.request.instance_id == instance_id]
        for pending in gone:
            self._fail(pending, GuestUnreachable(f"guest {instance_id} is deleted"))
        if not self._link.settle(FIND_BROKER):  # a request on its way out would make the queue again
            raise BrokerUnavailable("the broker takes no messages")
        self._logins.close(instance_id)
        queue = self._layout.guest(instance_id)
        with self._broker() as conn:
            queue(conn.channel()).delete()
        self._link.forget(queue.name)
        if self._heartbeats is not None:
            self._heartbeats.forget(instance_id)

    def guest_url(self, instance_id: str) -> str:
        """With which this guest, and no other, connects."""
        return self._logins.url(instance_id, self._key_of(instance_id))

    @contextlib.contextmanager
    def _broker(self) -> Iterator[Any]:
        """A queue of its own whose node is down, or that is not as it should be, is away as well."""
        known = connection(self._url)
        away = (*known.connection_errors, *known.channel_errors, OSError)
        try:
            with opened(self._url) as conn:
                yield conn
        except away as error:
            raise BrokerUnavailable(f"the broker does not answer, or refuses ({type(error).__name__})") from error

    # -- sending

    def _envelope(self, pending: Pending) -> Envelope:
        request = pending.request
        return Envelope(
            exchange=self._layout.down,
            routing_key=request.instance_id,
            body=wire.seal_request(pending.key, request, self._name),
            type=wire.REQUEST,
            correlation_id=str(request.id),
            reply_to=self._name,
            expiration=2 * self._resend,
            to=self._layout.guest(request.instance_id),
            wanted=lambda: str(request.id) in self._pending,
        )

    def _send(self, pending: Pending, envelope: Envelope) -> None:
        pending.sent = time.monotonic()
        pending.due = not self._link.send(envelope)

    def _resend_all(self) -> None:
        """The broker is back: whatever it held may be lost."""
        with self._lock:
            for pending in self._pending.values():
                pending.due = True
        self._wake.set()

    # -- time

    def _keep_time(self) -> None:
        tick, last = min(self._resend / 4, 0.5), time.monotonic()
        while not self._stopping:
            self._wake.wait(tick if self._pending else None)
            self._wake.clear()
            now = time.monotonic()
            with self._lock:
                entries = list(self._pending.values())
            for pending in entries:
                try:
                    self._look_after(pending, now, now - last)
                except Exception:
                    LOG.exception("request %s", pending.request.id)
            last = now

    def _look_after(self, pending: Pending, now: float, passed: float) -> None:
        request = pending.request
        if not self._link.ready:
            pending.pause(min(passed, now - pending.made))
            return
        lost_after = self._lost_after if request.silence is None else max(request.silence, self._lost_after)
        age, silent, unsent = now - pending.made, now - pending.heard, now - pending.sent
        take_by = min(request.deadline, self._pending_timeout)
        if not pending.accepted and age > take_by:
            self._fail(pending, GuestUnreachable(f"guest {request.instance_id} did not take {request.name}"))
        elif age > request.deadline:
            self._fail(pending, GuestOverdue(f"{request.name} took more than {request.deadline:g} s"))
        elif pending.accepted and silent > lost_after:
            self._fail(pending, GuestLost(f"no sign of life of guest {request.instance_id} for {silent:.0f} s"))
        elif pending.due or (unsent > self._resend and (not pending.accepted or silent > 2 * self._resend)):
            self._send_again(pending, age, take_by)

    def _send_again(self, pending: Pending, age: float, take_by: float) -> None:
        """A copy that outlives its request in the broker could be run after the flow has moved on: nothing is sent
        in the last moments before a time-out, for as long as the broker keeps a message."""
        if pending.accepted or age < max(take_by - 2 * self._resend, take_by / 2):
            self._send(pending, self._envelope(pending))

    def _fail(self, pending: Pending, error: GuestUnreachable) -> None:
        if self._remove(pending):
            LOG.warning("request %s: %s", pending.request.id, type(error).__name__)
            pending.fail(error)

    def _remove(self, pending: Pending) -> bool:
        """Whether it was still waited for; a newer one of the same id is left alone."""
        request_id = str(pending.request.id)
        with self._lock:
            if self._pending.get(request_id) is not pending:
                return False
            del self._pending[request_id]
            return True

    # -- receiving

    def _on_message(self, message: Any) -> None:
        try:
            sender = self._sender(message)
            if message.properties.get("type") == wire.HEARTBEAT:
                self._on_heartbeat(message, sender)
            else:
                self._on_response(message, sender)
        except crypto.BadSeal:
            self.stats["forged"] += 1
        except wire.BadMessage:
            self.stats["odd"] += 1
        except _Throttled as throttled:
            self.stats["throttled"] += 1
            self._warden.dropped(str(throttled))

    def _sender(self, message: Any) -> str | None:
        """The instance that a message comes from; None where guests have no users of their own."""
        if not self._logins.named:
            return None
        sender = guest_of(message.properties.get("user_id"))
        if sender is None:
            raise wire.BadMessage("a message without its sender")
        if not self._rates.allow(sender, len(message.body)):
            raise _Throttled(sender)
        return sender

    def _on_heartbeat(self, message: Any, sender: str | None) -> None:
        instance_id = str((message.headers or {}).get(wire.INSTANCE_HEADER))
        if sender not in (None, instance_id):
            raise wire.BadMessage("a heartbeat in another guest's name")
        if self._heartbeats is not None:
            self._heartbeats.put(instance_id, wire.content(message, wire.MAX_HEARTBEAT))

    def _on_response(self, message: Any, sender: str | None) -> None:
        request_id = message.properties.get("correlation_id")
        pending = self._pending.get(request_id) if isinstance(request_id, str) else None
        if pending is None:
            self.stats["late"] += 1
            return
        if sender not in (None, pending.request.instance_id):
            raise wire.BadMessage("an answer in another guest's name")
        state, data = wire.unseal_response(
            pending.key, wire.content(message), pending.request.instance_id, request_id, self._name
        )
        pending.heard = time.monotonic()
        pending.accepted = True
        if state in (wire.SUCCESS, wire.FAILURE):
            self._remove(pending)
            self.stats["answered"] += 1
            pending.finish(data)
        elif state == wire.EVENT and data["event_type"] != wire.ALIVE:
            pending.event(data["event_type"], data["details"])


def _as_error(why: failure.Failure) -> Exception:
    if why.exception is not None and isinstance(why.exception, GuestUnreachable):
        return why.exception
    return GuestRefused(why.exception_str, tuple(name.rpartition(".")[2] for name in why))
