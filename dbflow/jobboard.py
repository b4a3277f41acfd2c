# SPDX-License-Identifier: Apache-2.0
"""The jobboard: which operations wait for a conductor, and who has claimed which.

A job carries the operation's id, its flow's uuid and the version of the flow's definition, nothing else; the board can
be lost whole and be filled again from SQL.
"""

import contextlib
import dataclasses
import datetime
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState
from kazoo.recipe.election import Election
from oslo_config import cfg
from oslo_serialization import jsonutils
from oslo_utils import uuidutils
from taskflow import exceptions
from taskflow.jobs import base
from taskflow.jobs.backends import impl_zookeeper
from zake.fake_client import FakeClient
from zake.fake_storage import FakeStorage

from dbflow.db.models import Operation
from dbflow.leanboard import LeanBoard, Patience

LOG = logging.getLogger(__name__)

_FIRST_CONNECT = 3.0
"""Seconds the first post of a process waits for its connection; later ones never wait."""

_POST = 2.0
"""Seconds a user waits for the post of what was accepted."""

_LOOK = 10.0
"""Seconds that somebody waits for the whole board, unless told otherwise."""

_TRANSACTIONS = 2**48
"""Epochs that each life of a ZooKeeper's data has to itself."""


class BoardUnavailable(Exception):
    """ZooKeeper does not answer. What is accepted stays accepted; the leader posts it later."""


@dataclasses.dataclass(frozen=True)
class JobView:
    """A job as people look at it."""

    operation_id: str
    kind: str
    priority: str
    posted: datetime.datetime | None
    owner: str | None
    """The conductor that has claimed it."""


class _EmbeddedClient(FakeClient):
    """Of the board in this process."""

    def get_children(self, path: str, watch: Any = None, include_data: bool = False) -> Any:
        """The watch is set in the same moment: zake itself would never tell of a job that is made in between."""
        with self.storage.lock:
            return super().get_children(path, watch=watch, include_data=include_data)

    def sync_async(self, path: str) -> Any:
        """As kazoo's; nothing here is ever behind."""
        done = self.handler.async_result()
        done.set(path)
        return done


class Board:
    """One process's sight of the jobboard. After a lost session (``lost`` is set) make a new one."""

    def __init__(
        self,
        client: Any,
        root: str,
        name: str,
        turn: contextlib.AbstractContextManager[Any] | None,
        fits: Callable[[impl_zookeeper.ZookeeperJob], bool],
    ) -> None:
        """``turn``: on the embedded board, held by the one of its process that leads. ``fits``: whether a job is one
        to be handed out here; asked once a job."""
        self.name = name
        """Whom claims are made for: unique for each start of a process."""
        self.lost = threading.Event()
        """The session has ended, and with it every claim of this board."""
        self._changed = threading.Event()
        self._client, self._root, self._turn = client, root, turn
        self._client.add_listener(self._on_state)
        self._board = LeanBoard(
            name,
            {"path": f"{root}/board/jobs", "check_compatible": False},
            client=client,
            emit_notifications=False,
            fits=fits,
        )
        self._board.on_change = self._changed.set
        self._election: Election | None = None
        self._epochs_from = 0

    @property
    def connected(self) -> bool:
        """Whether ZooKeeper would hear us now; kazoo connects again by itself until the session is lost."""
        return bool(self._client.connected)

    def connect(self, timeout: float = 10.0) -> None:
        """Connect and watch. BoardUnavailable when ZooKeeper does not answer."""
        with _unavailable():
            self._board.connect(timeout=timeout)

    def count_on(self, newest: int) -> None:
        """See to it that coming epochs exceed ``newest``, the greatest that is known in SQL. A ZooKeeper whose data
        were lost or restored counts its transactions from the start, or from earlier: what is added to them is kept
        on the board itself, is lost with it, and is chosen by whoever comes first then. Before the first claim."""
        if self._turn is not None:
            return
        path = f"{self._root}/epochs"
        with _unavailable():
            self._client.ensure_path(path)
            while True:
                try:
                    self._epochs_from = self._settle_epochs(path, newest)
                    return
                except BadVersionError:
                    continue  # another conductor was at it

    def _settle_epochs(self, path: str, newest: int) -> int:
        raw, stat = self._client.get(path)
        if raw and not raw.isdigit():
            raise BoardUnavailable(f"{path} holds no number")
        start = int(raw or b"0")
        stat = self._client.set(path, raw, stat.version)  # a transaction, to know how far they are
        if start + stat.mzxid < newest:
            start = (newest // _TRANSACTIONS + 1) * _TRANSACTIONS
            self._client.set(path, str(start).encode(), stat.version)
            LOG.warning("ZooKeeper's transactions are behind those that SQL knows: epochs go on from %d", start)
        return start

    def post(self, operation: Operation) -> None:
        """Put an operation's job on the board. As of everybody's, the watch tells of it: what TaskFlow would note of
        it by itself comes too late for a job that is gone by then, and would stay for ever."""
        with _unavailable():
            self._client.create(f"{self._board.path}/{LeanBoard.JOB_PREFIX}", _posting(operation), sequence=True)

    def posted(self) -> set[str]:
        """Ids of all operations that have a job, asked afresh."""
        with _unavailable():
            return self._board.operations()

    def waiting(self) -> Iterator[impl_zookeeper.ZookeeperJob]:
        """Jobs to claim, in the order to claim them."""
        return self._board.waiting()

    def counted(self) -> tuple[int, int]:
        """How many jobs wait, and are claimed, as far as is known here."""
        return self._board.counted()

    def wait(self, timeout: float) -> None:
        """Until something on the board changed, or for ``timeout`` seconds."""
        self._changed.wait(timeout)
        self._changed.clear()

    def wake(self) -> None:
        """End :meth:`wait` now."""
        self._changed.set()

    def claim(self, job: impl_zookeeper.ZookeeperJob) -> bool:
        """Claim a job; False when somebody was faster or it is gone."""
        try:
            with _unavailable():
                self._board.claim(job, self.name)
        except (exceptions.UnclaimableJob, exceptions.NotFound):
            return False
        return True

    def epoch(self, job: impl_zookeeper.ZookeeperJob) -> int | None:
        """The fencing token of our claim, which only grows: the id of the transaction that made its lock, and what
        :meth:`count_on` found is to be added.

        None on the embedded board, whose claims live and die with this one process.
        Raises BoardUnavailable when the claim is not ours any more.
        """
        if self._turn is not None:
            return None
        with _unavailable():
            _, stat = self._client.get(job.lock_path)
            session = self._client.client_id
            if session is None or stat.ephemeralOwner != session[0]:
                raise BoardUnavailable(f"the claim of {job.name} is not ours any more")
            return self._epochs_from + int(stat.czxid)

    def consume(self, job: impl_zookeeper.ZookeeperJob) -> None:
        """Take a finished job off the board."""
        with _unavailable(), contextlib.suppress(exceptions.NotFound):
            self._board.consume(job, self.name)

    def abandon(self, job: impl_zookeeper.ZookeeperJob) -> None:
        """Give a claimed job back, for anybody to claim."""
        with _unavailable(), contextlib.suppress(exceptions.NotFound):
            self._board.abandon(job, self.name)

    def release(self, job: impl_zookeeper.ZookeeperJob) -> None:
        """Give up whatever claim we have of a job; fine when we have none."""
        with _unavailable(), contextlib.suppress(exceptions.NotFound):
            if self._board.find_owner(job) == self.name:
                self._board.abandon(job, self.name)

    def jobs(self, timeout: float = _LOOK) -> list[JobView]:
        """Every job, in the order of the board. BoardUnavailable when the answers take longer than ``timeout``."""
        with _unavailable():
            patience = Patience(timeout)
            self._board.refresh(patience)
            owners = self._board.owners(patience)
        return [
            JobView(
                job.details["operation_id"], job.name, str(job.priority.value), job.created_on, owners.get(job.path)
            )
            for job in self._board.known()
        ]

    def lead(self, duties: Callable[[], None]) -> None:
        """Stand for election; run ``duties`` while leading. Returns when they end or the candidate was cancelled."""
        if self._turn is not None:
            with self._turn:
                duties()
            return
        with _unavailable():
            self._clear_candidacy()
            self._election = Election(self._client, f"{self._root}/leader", self.name)
            self._election.run(duties)

    def _clear_candidacy(self) -> None:
        """Remove what an earlier try of this board left: while the session lives, it would stand in our own way."""
        path = f"{self._root}/leader"
        self._client.ensure_path(path)
        for child in self._client.get_children(path):
            with contextlib.suppress(NoNodeError):
                if self._client.get(f"{path}/{child}")[0] == self.name.encode():
                    self._client.delete(f"{path}/{child}")

    def withdraw(self) -> None:
        """Stop standing for election."""
        if self._election is not None:
            self._election.cancel()

    def close(self) -> None:
        """Disconnect: every claim of this board is free for others at once."""
        self._board.close()
        with contextlib.suppress(Exception):
            self._client.stop()
            self._client.close()
        self._changed.set()

    def _on_state(self, state: str) -> None:
        if state == KazooState.LOST:
            self.lost.set()
            self._changed.set()


class Poster:
    """Posts jobs without watching the board: all that an API process needs."""

    def __init__(self, client: Any, root: str, start: Callable[[], object]) -> None:
        self._client, self._path, self._start = client, f"{root}/board/jobs", start
        self._lock = threading.Lock()
        self._started = self._ready = False

    def post(self, operation: Operation) -> None:
        """Put an operation's job on the board. BoardUnavailable at once when ZooKeeper is away."""
        with _unavailable():
            self._connect()
            path = f"{self._path}/{LeanBoard.JOB_PREFIX}"
            request = self._client.create_async(path, _posting(operation), sequence=True)
            request.get(timeout=_POST)  # one that comes later all the same is no harm: see Board.waiting

    def ping(self) -> None:
        """BoardUnavailable when ZooKeeper does not answer, or its servers can't agree."""
        with _unavailable():
            self._connect()
            self._client.sync_async(self._path).get(timeout=_POST)

    def _connect(self) -> None:
        with self._lock:
            if not self._started:
                self._started = True
                self._start()
            if not self._client.connected:
                raise BoardUnavailable("not connected to ZooKeeper")
            if not self._ready:
                self._client.ensure_path_async(self._path).get(timeout=_POST)
                self._ready = True

    def close(self) -> None:
        """Disconnect."""
        with contextlib.suppress(Exception):
            self._client.stop()
            self._client.close()


class Boards:
    """Makes boards and posters as ``[coordination]`` says. One a process: the embedded board lives in it."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf.coordination
        self.embedded = self._conf.driver == "embedded"
        self._storage = FakeStorage(_handler()) if self.embedded else None
        self._turn = threading.Lock() if self.embedded else None

    def board(self, name: str, fits: Callable[[impl_zookeeper.ZookeeperJob], bool] = lambda _: True) -> Board:
        """A board for a conductor or a look around; connect it before use. ``fits``: which jobs are waited for."""
        return Board(self._client(), self._conf.root, name, self._turn, fits)

    def poster(self) -> Poster:
        """For an API process."""
        client = self._client()
        # kazoo's start() gives up for good when its time is over; start_async() goes on trying in the background.
        start = client.start if self.embedded else lambda: client.start_async().wait(_FIRST_CONNECT)
        return Poster(client, self._conf.root, start)

    def _client(self) -> Any:
        if self.embedded:
            return _EmbeddedClient(storage=self._storage)
        return KazooClient(
            hosts=self._conf.hosts,
            timeout=self._conf.session_timeout,
            connection_retry={"max_tries": -1, "max_delay": 5.0},
            command_retry={"max_tries": 3, "max_delay": 1.0},
        )


def _posting(operation: Operation) -> bytes:
    """A job's contents. With the kind, its name, the version tells a conductor whether it can run the operation
    before it claims the job."""
    details = {"operation_id": operation.id, "flow_uuid": operation.flow_uuid, "version": operation.version}
    priority = base.JobPriority.convert(operation.priority)
    posting = base.format_posting(uuidutils.generate_uuid(), operation.kind, details=details, priority=priority)
    return bytes(jsonutils.dump_as_bytes(posting))


def _handler() -> Any:
    from kazoo.handlers.threading import SequentialThreadingHandler

    return SequentialThreadingHandler()


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    """Whatever ZooKeeper's absence looks like -> BoardUnavailable."""
    try:
        yield
    except (exceptions.UnclaimableJob, exceptions.NotFound):
        raise
    except (KazooException, KazooTimeoutError, exceptions.JobFailure, OSError, TimeoutError) as error:
        raise BoardUnavailable(f"{type(error).__name__}: {error}") from error
