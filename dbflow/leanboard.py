# SPDX-License-Identifier: Apache-2.0
"""TaskFlow's ZooKeeper board, taught to keep what it knows: urgent jobs first and then the oldest, no question to
ZooKeeper about jobs that it has seen locked, and no search through all jobs for each change."""

import bisect
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from kazoo.exceptions import NoNodeError
from oslo_serialization import jsonutils
from taskflow.jobs import base
from taskflow.jobs.backends import impl_zookeeper

LOG = logging.getLogger(__name__)

_RANK = {
    priority: rank
    for rank, priority in enumerate(
        (
            base.JobPriority.VERY_HIGH,
            base.JobPriority.HIGH,
            base.JobPriority.NORMAL,
            base.JobPriority.LOW,
            base.JobPriority.VERY_LOW,
        )
    )
}


class _Jobs(dict[str, impl_zookeeper.ZookeeperJob]):
    """The jobs that a board knows, by path; kept in the order in which they are handed out."""

    def __init__(self, fits: Callable[[impl_zookeeper.ZookeeperJob], bool]) -> None:
        super().__init__()
        self._fits = fits
        self.order: list[tuple[int, int, str]] = []
        """(rank of the priority, number, path) of every job that fits."""
        self.of_operation: dict[str, list[str]] = {}
        """An operation may be posted twice: its poster and the leader crossed."""

    def __setitem__(self, path: str, job: impl_zookeeper.ZookeeperJob) -> None:
        """KeyError or TypeError, and nothing noted, of what is no job of ours."""
        if not isinstance(job.details["operation_id"], str):
            raise TypeError(f"{path} names no operation")
        fits, paths = self._fits(job), self.of_operation.setdefault(job.details["operation_id"], [])
        super().__setitem__(path, job)
        paths.append(path)
        if fits:
            bisect.insort(self.order, (_RANK[job.priority], job.sequence, path))

    def pop(self, path: str, *default: Any) -> Any:
        job = super().pop(path, *default)
        if isinstance(job, impl_zookeeper.ZookeeperJob):
            place = (_RANK[job.priority], job.sequence, path)
            index = bisect.bisect_left(self.order, place)
            if self.order[index : index + 1] == [place]:
                del self.order[index]
            paths = self.of_operation[job.details["operation_id"]]
            paths.remove(path)
            if not paths:
                del self.of_operation[job.details["operation_id"]]
        return job

    def clear(self) -> None:
        super().clear()
        self.order.clear()
        self.of_operation.clear()


class Patience:
    """How many of some seconds are left, over several requests."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def of(self, request: Any) -> Any:
        """The answer to a request; kazoo's time-out when it does not come in time."""
        return request.get(timeout=max(0.0, self._until - time.monotonic()))


class LeanBoard(impl_zookeeper.ZookeeperJobBoard):
    """Knows from the children list alone which jobs are locked, and looks at no more than what changed in it."""

    def __init__(self, *args: Any, fits: Callable[[impl_zookeeper.ZookeeperJob], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known_jobs = _Jobs(fits)
        self._children: frozenset[str] = frozenset()
        self._locked: set[str] = set()
        self._unread: set[str] = set()
        """Paths of jobs that are there and whose contents did not come yet."""
        self._asked: set[str] = set()
        self.on_change: Callable[[], None] = lambda: None

    def _on_job_posting(self, children: list[str], delayed: bool = True) -> None:
        self._note(children)
        self.read()
        self.on_change()

    def _note(self, children: list[str]) -> None:
        now = frozenset(children)
        with self._job_cond:
            before, self._children = self._children, now
            for child in before - now:
                self._gone(child)
            for child in now - before:
                self._come(child)

    def refresh(self, patience: Patience) -> None:
        """Ask for all jobs, and wait for what they contain."""
        patience.of(self._client.sync_async(self.path))
        with contextlib.suppress(NoNodeError):
            self._note(patience.of(self._client.get_children_async(self.path)))
        with self._job_cond:
            paths = sorted(self._unread)
        for path, request in [(path, self._client.get_async(path)) for path in paths]:
            with contextlib.suppress(NoNodeError):
                patience.of(request)
            self._learn(path, request)
        self.on_change()

    def known(self) -> list[impl_zookeeper.ZookeeperJob]:
        """All jobs, in the order of the board."""
        with self._job_cond:
            return sorted(self._known_jobs.values(), key=lambda job: (_RANK[job.priority], job.sequence))

    def counted(self) -> tuple[int, int]:
        """How many jobs wait, and are claimed."""
        with self._job_cond:
            claimed = sum(path in self._known_jobs for path in self._locked)
            return len(self._known_jobs) - claimed, claimed

    def owners(self, patience: Patience) -> dict[str, str | None]:
        """Path of each job that is claimed -> by whom."""
        with self._job_cond:
            paths = sorted(self._locked)
        found = {}
        for path, request in [(path, self._client.get_async(path + self.LOCK_POSTFIX)) for path in paths]:
            with contextlib.suppress(NoNodeError):
                raw, _ = patience.of(request)
                found[path] = jsonutils.loads(raw).get("owner")
        return found

    def _gone(self, child: str) -> None:
        path = f"{self.path}/{child}"
        if child.endswith(self.LOCK_POSTFIX):
            self._locked.discard(path[: -len(self.LOCK_POSTFIX)])
        else:
            self._unread.discard(path)
            self._remove_job(path)

    def _come(self, child: str) -> None:
        path = f"{self.path}/{child}"
        if child.endswith(self.LOCK_POSTFIX):
            self._locked.add(path[: -len(self.LOCK_POSTFIX)])
        elif child.startswith(self.JOB_PREFIX) and path not in self._known_jobs:
            self._unread.add(path)

    def read(self) -> None:
        """Ask for the contents of jobs that were not read yet, also of those whose answer was lost."""
        with self._job_cond:
            paths = sorted(self._unread - self._asked)
            self._asked.update(paths)
        requests = [(path, self._client.get_async(path)) for path in paths]
        for path, request in requests:
            request.rawlink(functools.partial(self._learn, path))

    def _learn(self, path: str, request: Any) -> None:
        with self._job_cond:
            self._asked.discard(path)
            if path not in self._unread:
                return  # it is gone
            if request.successful():
                self._unread.discard(path)
                try:
                    self._process_child(path, request)
                except (LookupError, TypeError, ValueError, AttributeError) as error:
                    LOG.warning("%s is no job of ours: %s", path, type(error).__name__)
        self.on_change()

    def waiting(self) -> Iterator[impl_zookeeper.ZookeeperJob]:
        """Jobs that fit and nobody has claimed, urgent ones first, then the oldest, as they were a moment ago.

        An operation posted twice is not handed out beside itself.
        """
        self.read()
        with self._job_cond:
            order = list(self._known_jobs.order)
        for _, _, path in order:
            if path in self._locked:
                continue
            job = self._known_jobs.get(path)
            if job is not None and self._is_first(path, job):
                yield job

    def _is_first(self, path: str, job: impl_zookeeper.ZookeeperJob) -> bool:
        paths = list(self._known_jobs.of_operation.get(job.details["operation_id"], ()))
        return len(paths) < 2 or (path == min(paths) and self._locked.isdisjoint(paths))

    def operations(self) -> set[str]:
        """Ids of all operations that have a job, asked afresh; what the watch knows is not touched, since it may be
        ahead of this answer."""
        found: set[str | None] = set()
        for child in self._client.get_children(self.path):
            path = f"{self.path}/{child}"
            if child.startswith(self.JOB_PREFIX) and not child.endswith(self.LOCK_POSTFIX):
                job = self._known_jobs.get(path)
                found.add(job.details["operation_id"] if job is not None else self._operation(path))
        return {operation_id for operation_id in found if operation_id is not None}

    def _operation(self, path: str) -> str | None:
        try:
            raw, _ = self._client.get(path)
            operation_id = jsonutils.loads(raw)["details"]["operation_id"]
        except (NoNodeError, ValueError, TypeError, KeyError):
            return None
        return operation_id if isinstance(operation_id, str) else None
