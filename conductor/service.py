# SPDX-License-Identifier: Apache-2.0
"""A conductor: claims operations from the board, runs them, and takes its turn at leading."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent import futures
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from stevedore import driver
from taskflow.engines.helpers import ENGINES_NAMESPACE

from conductor.control import Control, Wishes
from conductor.health import HealthBook
from conductor.leader import Leader
from conductor.runner import Job, Runner
from dbflow import __version__, faults, logcontext
from dbflow.cloud.base import Cloud
from dbflow.crypto import Keyring
from dbflow.db.models import Conductor, Operation, utcnow
from dbflow.db.session import Database
from dbflow.guestkeys import GuestKeys
from dbflow.jobboard import Board, Boards, BoardUnavailable
from dbflow.logcontext import About
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.metrics import Metrics
from dbflow.operations import State
from flows.registry import REGISTRY

LOG = logging.getLogger(__name__)

_RECONNECT = 1.0
_WISHES_EVERY = 0.5
_DRAIN_EVERY = 1.0
_REPORT_EVERY = 5.0
_ASLEEP = 90.0
"""Seconds: longer than a database that keeps its connections and says nothing can hold a duty up."""
_FORGET_RESTS = 600.0
_RELEASED_RESTS = 4
"""As after so many failures: whoever wants a claim to be given up wants somebody else to have it."""
_LEAVE_WITHIN = 1.0


def unique_name() -> str:
    """host:pid:random: claims go by name, so no two starts of a process may share one."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _known(job: Any) -> bool:
    """Whether this release can run the job's operation; what it can't is left, untouched, to one that can. Of a job
    that does not say its version the operation's row will."""
    version = job.details.get("version")
    return version is None or REGISTRY.knows(job.name, version)


def _load_all() -> None:
    """Flows and engine: found once a process, and not when somebody's operation waits to be taken over."""
    REGISTRY.kinds()
    driver.DriverManager(ENGINES_NAMESPACE, "dbflow")


class ConductorService:
    """The claim loop and the threads beside it. ``run`` blocks until ``stop`` is called."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        keyring: Keyring,
        guest_keys: GuestKeys,
        cloud: Cloud,
        boards: Boards,
        dispatcher: Dispatcher,
        health: HealthBook | None,
        metrics: Metrics,
    ) -> None:
        """``health``: whose heartbeats this process writes down; None where another conductor of the same process
        does."""
        self.name = unique_name()
        self._conf, self._database, self._boards, self._health = conf, database, boards, health
        self._runner = Runner(conf, database, keyring, guest_keys, cloud, dispatcher, metrics)
        self._leader = Leader(conf, database, keyring, cloud, dispatcher)
        self._wishes = Wishes(database)
        self._flows = futures.ThreadPoolExecutor(conf.conductor.max_flows, thread_name_prefix="flow")
        self._running: set[str] = set()
        self._not_before: dict[str, tuple[float, int]] = {}
        self._leftover: dict[str, Any] = {}
        self._stopping = threading.Event()
        self._board: Board | None = None
        self._leads: Board | None = None
        """The board by whose session this conductor leads."""
        self._draining = False
        self._rounds: dict[int, float] = {}
        """When each of the duties beside the claim loop was last done, or put off."""

    def run(self) -> None:
        """Serve until stopped; every lost session begins a new board."""
        _load_all()
        self._beside(self._look_for_wishes, _WISHES_EVERY)
        self._beside(self._report, _REPORT_EVERY)
        self._beside(self._look_whether_to_drain, _DRAIN_EVERY)
        if self._health is not None:
            self._beside(self._health.write, 1.0)
        while not self._stopping.is_set():
            board = self._boards.board(self.name, _known)
            try:
                board.connect()
                self._count_on(board)
            except BoardUnavailable as error:
                LOG.warning("no jobboard: %s", error)
                board.close()
                self._stopping.wait(_RECONNECT)
                continue
            self._board = board
            self._leftover.clear()  # the old session's claims ended with it
            candidate = threading.Thread(target=self._stand_for_election, args=(board,), daemon=True)
            candidate.start()
            self._claim_jobs(board)
            for control in self._wishes.all():
                # Stopping, or the claims are lost: either way the flows are not ours to run on.
                control.leave(hurry=self._stopping.is_set())
            if self._stopping.is_set():
                self._drain()
            board.withdraw()
            board.close()
        farewell = threading.Thread(target=self._say_goodbye, daemon=True)
        farewell.start()
        farewell.join(_LEAVE_WITHIN)

    def _count_on(self, board: Board) -> None:
        """Before the first claim; not without SQL, whose epochs it must exceed."""
        told = False
        while not self._stopping.is_set() and not board.lost.is_set():
            try:
                board.count_on(self._newest_epoch())
                return
            except sa.exc.SQLAlchemyError as error:
                if not told:
                    LOG.warning("no claims yet: dbflow's database is away (%s)", type(error).__name__)
                told = True
            self._stopping.wait(_RECONNECT)

    def _newest_epoch(self) -> int:
        """Of all operations that may be claimed again."""
        again = [state for state in State if state not in (State.SUCCESS, State.REVERTED)]
        with self._database.read() as session:
            return session.scalar(sa.select(sa.func.max(Operation.epoch)).where(Operation.state.in_(again))) or 0

    def stop(self) -> None:
        """Hand over: running flows stop where they are, their jobs are free at once."""
        self._stopping.set()
        if self._board is not None:
            self._board.wake()

    @property
    def flows(self) -> int:
        """How many flows run here now."""
        return len(self._running)

    @property
    def awake(self) -> bool:
        """Whether its duties go round. That servers are away is no reason to begin anew: duties do not wait for them,
        or not long."""
        now = time.monotonic()
        return all(now - at < _ASLEEP for at in list(self._rounds.values()))

    @property
    def leads(self) -> bool:
        """Whether this conductor sees to the leader's duties."""
        return self._leads is not None

    def jobs(self) -> tuple[int, int] | None:
        """How many jobs on the board wait, and are claimed; None while there is no board."""
        board = self._board
        return board.counted() if board is not None else None

    @property
    def unposted(self) -> int | None:
        """How many operations were not on the board when the leader looked; None before it did."""
        return self._leader.unposted

    @property
    def orphans(self) -> int | None:
        """How many are reported; None where this conductor has not looked since it leads."""
        return self._leader.orphans(self._leads)

    def _claim_jobs(self, board: Board) -> None:
        while not self._stopping.is_set() and not board.lost.is_set():
            self._release_leftovers(board)
            for job in board.waiting():
                if len(self._running) >= self._conf.conductor.max_flows or self._stopping.is_set() or self._draining:
                    break
                self._claim(board, job)
            board.wait(1.0)

    def _claim(self, board: Board, job: Any) -> None:
        operation_id = job.details["operation_id"]
        pause, _ = self._not_before.get(operation_id, (0.0, 0))
        if operation_id in self._running or time.monotonic() < pause:
            return
        try:
            if not board.claim(job):
                return
        except BoardUnavailable as error:
            LOG.warning("claim failed: %s", error)
            self._leftover[job.path] = job  # it may have been made all the same
            return
        control = Control()
        self._running.add(operation_id)
        self._wishes.watch(operation_id, control)
        self._flows.submit(self._work, board, job, operation_id, control)

    def _work(self, board: Board, job: Any, operation_id: str, control: Control) -> None:
        with logcontext.at(About(operation_id=operation_id)):
            self._work_claimed(board, job, operation_id, control)

    def _work_claimed(self, board: Board, job: Any, operation_id: str, control: Control) -> None:
        try:
            faults.point("operation.claimed")
            outcome = self._runner.run(operation_id, board.epoch(job), self.name, control)
            self._dispose(board, job, operation_id, outcome, control)
        except BoardUnavailable as error:
            LOG.warning("operation %s: %s; its job is left to whoever claims it next", operation_id, error)
            self._leftover[job.path] = job
        except Exception:
            LOG.exception("operation %s", operation_id)
            self._leftover[job.path] = job
        finally:
            self._wishes.forget(operation_id)
            self._running.discard(operation_id)
            if self._board is not None:  # a later one than ours, if the session was lost meanwhile
                self._board.wake()

    def _release_leftovers(self, board: Board) -> None:
        """Give up claims that may stand although nobody here works on them: ZooKeeper was away at the wrong moment,
        but not for long enough to end the session and the claims with it."""
        for path, job in list(self._leftover.items()):
            if job.details["operation_id"] in self._running:
                continue
            try:
                board.release(job)
            except BoardUnavailable:
                return
            self._leftover.pop(path, None)

    def _dispose(self, board: Board, job: Any, operation_id: str, outcome: Job, control: Control) -> None:
        faults.point("operation.ended")
        if outcome is Job.CONSUME:
            self._not_before.pop(operation_id, None)
            board.consume(job)
            self._post_successors(board, operation_id)
        elif not control.leaving:
            if outcome is Job.OVERTAKEN:
                board.count_on(self._newest_epoch())  # our count may be behind what SQL knows by now
            # Others may try at once; this conductor gives it a rest.
            _, times = self._not_before.get(operation_id, (0.0, 0))
            times = max(times + 1, _RELEASED_RESTS if control.released else 0)
            self._rest(operation_id, 2 if outcome is Job.POSTPONE else times)
            board.abandon(job)
        # Who leaves gives its claims up by ending the session, which is the last that it does: until then a step that
        # was left in its middle may still be at work in this process, and must not be begun anew beside itself.

    def _rest(self, operation_id: str, times: int) -> None:
        """Not again before a pause that grows with each time; what others have finished since is forgotten."""
        now = time.monotonic()
        kept = {known: rest for known, rest in self._not_before.items() if rest[0] > now - _FORGET_RESTS}
        kept[operation_id] = (now + min(30.0, 0.25 * 2**times), times)
        self._not_before = kept

    def _post_successors(self, board: Board, operation_id: str) -> None:
        with self._database.read() as session:
            waiting = session.scalars(
                sa.select(Operation).where(Operation.after_id == operation_id, Operation.state == State.ACCEPTED)
            ).all()
        for successor in waiting:
            board.post(successor)

    def _stand_for_election(self, board: Board) -> None:
        while not self._stopping.is_set() and not board.lost.is_set():
            try:
                board.lead(lambda: self._lead(board))
            except BoardUnavailable as error:
                LOG.warning("election: %s", error)
            except Exception:
                LOG.exception("election")
            self._stopping.wait(_RECONNECT)

    def _lead(self, board: Board) -> None:
        if self._stopping.is_set() or board.lost.is_set():
            return
        self._leads = board
        try:
            self._report()  # at once: people look for who leads
        except sa.exc.SQLAlchemyError as error:
            LOG.warning("report put off: %s", type(error).__name__)
        try:
            self._leader.lead(board, self._stopping)
        finally:
            if self._leads is board:  # duties may end long after their session, when a later one leads already
                self._leads = None

    def _look_for_wishes(self) -> None:
        self._wishes.look()

    def _look_whether_to_drain(self) -> None:
        """An administrator may want this conductor to finish what it runs, and to leave the rest to others."""
        with self._database.read() as session:
            wanted = session.scalar(sa.select(Conductor.draining).where(Conductor.name == self.name))
        if bool(wanted) != self._draining:
            self._draining = bool(wanted)
            LOG.info("%s", "draining: claiming nothing more" if wanted else "claiming again")
            if self._board is not None:
                self._board.wake()

    def _report(self) -> None:
        """Say in SQL that this conductor lives; the jobboard, not this row, decides who owns what."""
        if self._stopping.is_set():
            return
        with self._database.write() as session:
            row = session.get(Conductor, self.name) or Conductor(
                name=self.name, host=socket.gethostname(), pid=os.getpid(), version=__version__
            )
            leads = self._leads
            row.seen, row.leader, row.flows = utcnow(), leads is not None, len(self._running)
            row.orphans = self._leader.orphans(leads)
            session.add(row)

    def _say_goodbye(self) -> None:
        """Who leaves in good order is not missed: only one that died is silent."""
        try:
            with self._database.write() as session:
                session.execute(sa.delete(Conductor).where(Conductor.name == self.name))
        except sa.exc.SQLAlchemyError as error:
            LOG.warning("left without a word: %s", type(error).__name__)

    def _beside(self, duty: Callable[[], Any], every: float) -> None:
        number = len(self._rounds)
        self._rounds[number] = time.monotonic()

        def loop() -> None:
            while True:
                try:
                    duty()
                except sa.exc.SQLAlchemyError as error:
                    LOG.warning("%s put off: %s", getattr(duty, "__name__", duty), type(error).__name__)
                except Exception:
                    LOG.exception("%s", duty)
                self._rounds[number] = time.monotonic()
                if self._stopping.wait(every):
                    return

        threading.Thread(target=loop, daemon=True).start()

    def _drain(self) -> None:
        """Wait until no flow runs here any more, but not for long."""
        deadline = time.monotonic() + _LEAVE_WITHIN
        while self._running and time.monotonic() < deadline:
            time.sleep(0.01)
