# SPDX-License-Identifier: Apache-2.0
"""Make a backup, and make a server of one.

Both are streams in a process that outlives the agent: an agent that died finds its stream again, and nothing is sent
twice. What a reboot of the machine interrupts is begun anew, as another stream; so is what somebody killed.
"""

import logging
import pathlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dbflow.backupmanifest import ABOUT, NAME, Manifest, Segment, digest
from dbflow.datastores import Strategy
from guest.datastores.base import Backups, DatastoreError, Link, Settings, Step, Unsupported
from guest.streams.job import StreamDied, StreamJob
from guest.streams.store import Store, StoreFailed
from guest.tasks.base import GuestTask
from guest.volume import Volume

LOG = logging.getLogger(__name__)
DAY = 86400.0
_AGAIN = 2
"""Times that a stream whose process was killed is begun anew; another agent counts from the start."""


class StreamTask(GuestTask):
    """Base of the tasks here."""

    interruptible: ClassVar[bool] = True
    deadline: ClassVar[float] = DAY
    silence: ClassVar[float | None] = 900.0

    @property
    def backups(self) -> Backups:
        """Of the machine's plug-in."""
        if self.datastore.backups is None:
            raise Unsupported("This datastore has no backups.")
        return self.datastore.backups

    def directory(self, name: str) -> pathlib.Path:
        """Of a stream's process; lost at a reboot, as the process is."""
        above = self.datastore.machine.run_dir / "streams"
        above.mkdir(mode=0o711, parents=True, exist_ok=True)
        return above / name

    def streamed(self, job: StreamJob, begin: Callable[[], None], again: int = _AGAIN) -> dict[str, Any]:
        """The stream's result. It is begun where it does not run, and ``again`` when its process was killed."""
        while True:
            if not job.ended() and not job.alive():
                job.remove()
                begin()
            try:
                return job.wait(self.update_progress, self.interrupted)
            except StreamDied as error:
                if not again or self.interrupted.is_set():
                    raise
                again -= 1
                LOG.warning("it is begun anew: %s", error)


class MakeBackup(StreamTask):
    """Send a copy of the data to the object store.

    A guest that does not answer when it is to end that is in nobody's way: what it sends all the same is removed with
    the backup's other objects, or found by the leader.
    """

    beside: ClassVar[bool] = True
    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})

    def execute(
        self,
        instance_id: str,
        backup_id: str,
        strategy: str,
        parent: Mapping[str, Any] | None,
        upload: Mapping[str, Any],
    ) -> dict[str, Any]:
        """``parent``: position of the backup that it is to be the difference to. ``upload``: {"store" (a grant),
        "backup_key", "label", "segment_size", "level", "patience", "about" (members of the manifest)}. Answers
        {"stream", "checksum" (of the manifest), "size" (GiB), "position", "bytes" (in the store)}."""
        job = StreamJob(self.directory(backup_id))
        work = job.directory / "work"
        result = self.streamed(job, lambda: self._begin(job, work, strategy, parent, upload))["sent"]
        size = Volume(self.datastore.machine.data_dir).usage().used
        manifest = Manifest(
            **{name: upload["about"][name] for name in ABOUT},
            strategy=strategy,
            stream=(job.directory / "stream").read_text(),
            segments=tuple(Segment(*segment) for segment in result["segments"]),
            stream_size=result["read"],
            data_size=round(size, 4),
            position=self.backups.position(strategy, work),
        )
        data = manifest.to_bytes()
        try:
            Store(upload["store"], upload["patience"], self.interrupted).put(NAME, data)
        except StoreFailed as error:
            raise DatastoreError(str(error)) from None
        # The result stays: should the agent die now, it is found again.
        return {
            "stream": manifest.stream,
            "checksum": digest(data),
            "size": manifest.data_size,
            "position": manifest.position,
            "bytes": manifest.stored,
        }

    def revert(self, instance_id: str, backup_id: str, **_: Any) -> None:
        """End it; what is in the store already is removed by the control plane."""
        StreamJob(self.directory(backup_id)).remove()

    def _begin(
        self,
        job: StreamJob,
        work: pathlib.Path,
        strategy: str,
        parent: Mapping[str, Any] | None,
        upload: Mapping[str, Any],
    ) -> None:
        for old in job.directory.parent.iterdir():
            StreamJob(old).remove()
        for path in (job.directory, work):
            path.mkdir(mode=0o711)
        stream = uuid.uuid4().hex
        (job.directory / "stream").write_text(stream)
        source = self.backups.source(strategy, parent, work)
        send: Step = {
            "do": "send",
            "command": list(source.command),
            "user": source.user,
            "expected": source.expected,
            "holds": source.holds,
            "store": upload["store"],
            "key": upload["backup_key"],
            "label": upload["label"],
            "stream": stream,
            "segment_size": upload["segment_size"],
            "level": upload["level"],
        }
        job.start({"patience": upload["patience"], "steps": [send]})


class RestoreBackup(StreamTask):
    """Make a secured, configured, running server of a backup on a fresh machine.

    Undoing it is deleting the machine.
    """

    def execute(
        self, instance_id: str, ram: int, vcpus: int, overrides: dict[str, Any], download: Mapping[str, Any]
    ) -> None:
        """``download``: {"patience", "chain": [{"strategy", "backup_id", "store" (a grant), "backup_key", "label",
        "checksum"}, …]}, the full backup first. Reports its progress."""
        chain = [_link(one) for one in download["chain"]]
        job = StreamJob(self.directory("restore"))

        def run(steps: list[Step]) -> None:
            def begin() -> None:
                job.directory.mkdir(mode=0o711)
                job.start({"patience": download["patience"], "steps": steps})

            # Files are made anew from the first; statements can't be fed again to a server that has half of them.
            self.streamed(job, begin, _AGAIN if chain[0].strategy == Strategy.PHYSICAL else 0)

        settings = Settings(ram=ram, vcpus=vcpus, overrides=overrides)
        self.backups.restore(settings, chain, run)


def _link(one: Mapping[str, Any]) -> Link:
    receive = {name: one[name] for name in ("store", "label", "backup_id", "checksum")}
    return Link(one["strategy"], {**receive, "key": one["backup_key"]})
