# SPDX-License-Identifier: Apache-2.0
"""Servers: a record of what should run, and one function that makes it so.

``server.json`` is written when all else of the server is in place, so it exists only for complete servers. It
holds a boot number. A reboot raises that in one write and then converges: processes of earlier boots are stopped,
an agent of this boot is started. Whoever comes after a crash (the same call again, or ``keep``) converges too.
"""

import contextlib
import dataclasses
import logging
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import psutil

from dbflow.cloud import base
from dbflow.cloud.local import agent, files
from dbflow.cloud.local.agent import Agent
from dbflow.cloud.local.hosts import LocalHosts
from dbflow.cloud.local.images import LocalImages
from dbflow.cloud.local.layout import Layout, checked_id
from dbflow.cloud.local.locks import Locks
from dbflow.cloud.local.machine import equip, fence, unfence, write_config, write_files
from dbflow.cloud.local.prepared import Prepared
from dbflow.cloud.local.processes import Processes, end
from dbflow.cloud.local.record import Record

LOG = logging.getLogger(__name__)
_RECORD = "server.json"
_AGENT_GRACE = 5.0
"""Seconds an agent has to end by itself; it is made to be killed."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How servers are run."""

    command: Sequence[str]
    """Of the guest agent; ``--config-dir DIR`` is added."""
    port: int
    stop_timeout: float
    delete_timeout: float


class LocalServers(base.Servers):
    """Guest agents of this machine, and all that they started."""

    def __init__(
        self,
        layout: Layout,
        hosts: LocalHosts,
        locks: Locks,
        processes: Processes,
        flavors: base.Flavors,
        images: LocalImages,
        prepared: Prepared,
        settings: Settings,
    ) -> None:
        self._layout = layout
        self._hosts = hosts
        self._locks = locks
        self._processes = processes
        self._flavors = flavors
        self._images = images
        self._prepared = prepared
        self._settings = settings

    def create(self, boot: base.Boot) -> base.Server:
        """Create or find by instance id, and start its agent if it does not run."""
        instance_id = boot.instance_id
        self._flavors.get(boot.flavor_id)
        self._images.programs(boot.image)
        with self._working_on(instance_id):
            record = self._record(instance_id)
            if record is None or record.deleting:
                self._discard(instance_id, record)
                record = self._prepare(boot)
            self._converge(instance_id, record)
        return self.get(instance_id)

    def get(self, instance_id: str) -> base.Server:
        """ACTIVE while the agent lives, else SHUTOFF. NotFound when there is none."""
        with files.naming(f"Server of instance {instance_id}"):
            record = self._existing(instance_id)
            alive = self._agent(instance_id).boot() is not None
        return base.Server(
            id=instance_id,
            name=instance_id,
            status="ACTIVE" if alive else "SHUTOFF",
            flavor_id=record.flavor_id,
            image=record.image,
            host=record.host,
        )

    def hosts(self) -> list[str]:
        """As configured."""
        return self._hosts.names()

    def resize(self, instance_id: str, flavor_id: str) -> base.Server:
        """Change the flavor and reboot; a server already of that flavor is only made to run."""
        self._flavors.get(flavor_id)
        with self._working_on(instance_id):
            record = self._existing(instance_id)
            if record.flavor_id != flavor_id:
                record = dataclasses.replace(record, flavor_id=flavor_id, boot=record.boot + 1)
                self._save(instance_id, record)
            self._converge(instance_id, record)
        return self.get(instance_id)

    def confirm_resize(self, instance_id: str) -> None:
        """Nothing to do: a resize here is final at once."""
        self._existing(instance_id)

    def revert_resize(self, instance_id: str, flavor_id: str) -> base.Server:
        """A resize back."""
        return self.resize(instance_id, flavor_id)

    def migrate(self, instance_id: str, old_host: str, host: str | None) -> base.Server:
        """Stop everything of the server cleanly, move what is on its disk, and start its agent again."""
        return self._put(instance_id, lambda at: self._hosts.choose(host, old_host) if at == old_host else at)

    def revert_migration(self, instance_id: str, old_host: str) -> base.Server:
        """A migration back, also to a host that is not named any more."""
        return self._put(instance_id, lambda _: old_host)

    def _put(self, instance_id: str, choose: Callable[[str], str]) -> base.Server:
        """``choose``: the present host -> where it should be."""
        with self._working_on(instance_id):
            record = self._existing(instance_id)
            host = choose(record.host)
            if record.host != host:
                record = dataclasses.replace(record, host=host, boot=record.boot + 1)
                self._save(instance_id, record)
            self._converge(instance_id, record)
        return self.get(instance_id)

    def reboot(self, instance_id: str, once: str) -> None:
        """Stop everything of the server cleanly and start its agent again."""
        with self._working_on(instance_id):
            record = self._existing(instance_id)
            if record.rebooted != once:
                record = dataclasses.replace(record, boot=record.boot + 1, rebooted=once)
                self._save(instance_id, record)
            self._converge(instance_id, record)

    def rebuild(self, instance_id: str, image: str | None, files: Mapping[str, str], once: str) -> None:
        """Stop everything of the server cleanly and start its agent again, with the programs of the image. Its logs
        stay."""
        self._images.programs(image)
        with self._working_on(instance_id):
            record = self._existing(instance_id)
            if record.rebuilt not in (once, f"{once}{base.UNDONE}"):
                record = dataclasses.replace(record, boot=record.boot + 1, image=image, rebuilt=once)
                write_files(self._layout.server(instance_id), files)
                self._save(instance_id, record)
            self._converge(instance_id, record)

    def fence(self, instance_id: str) -> None:
        """End every process of the server at once, as a power failure does: a database that shuts down may still tell
        clients that it has committed. Nobody starts it again."""
        with self._working_on(instance_id):
            record = self._existing(instance_id)
            fence(self._layout.server(instance_id))
            self._save(instance_id, dataclasses.replace(record, fenced=True))
            self._end(instance_id, 0.0)

    def unfence(self, instance_id: str) -> None:
        """Another boot."""
        with self._working_on(instance_id):
            record = self._existing(instance_id)
            if record.fenced:
                record = dataclasses.replace(record, fenced=False, boot=record.boot + 1)
                unfence(self._layout.server(instance_id))
                self._save(instance_id, record)
            self._converge(instance_id, record)

    def delete(self, instance_id: str) -> None:
        """End every process of the server, known to its record or not, and remove its directories."""
        with self._working_on(instance_id):
            record = self._record(instance_id)
            if record is not None and not record.deleting:
                # From now on nobody starts it again.
                record = dataclasses.replace(record, deleting=True)
                self._save(instance_id, record)
            self._end(instance_id, self._settings.delete_timeout)
            self._remove(instance_id, record)

    def keep(self) -> None:
        """Start agents that should run but do not, and finish reboots that were interrupted."""
        agent.reap()
        for instance_id in self._hosts.servers():
            try:
                if self._needs_care(instance_id):
                    self._care(instance_id)
            except base.Unavailable as busy:
                LOG.debug("Left alone: %s", busy)
            except base.CloudError as error:
                LOG.warning("Could not bring back a server: %s", error)

    def _needs_care(self, instance_id: str) -> bool:
        with files.naming(f"Server of instance {instance_id}"):
            record = self._record(instance_id)
            return record is not None and record.runs and self._agent(instance_id).boot() != record.boot

    def _care(self, instance_id: str) -> None:
        with self._working_on(instance_id, timeout=0):
            record = self._record(instance_id)
            if record is not None and record.runs:
                LOG.info("Starting the guest agent of instance %s again", instance_id)
                self._converge(instance_id, record)

    def _prepare(self, boot: base.Boot) -> Record:
        """Write everything, the record last."""
        instance_id = boot.instance_id
        host = self._hosts.choose()
        directory = self._hosts.make(instance_id, host)
        run_dir = self._layout.run_dir(instance_id)
        owner = self._layout.owner.of_instance(boot.port.addresses[0]["address"])
        programs = self._images.programs(boot.image)
        write_config(
            directory,
            boot,
            owner=owner,
            run_dir=run_dir,
            port=self._settings.port,
            programs=programs,
            image_dir=self._prepared.path(boot.manager) if programs is None else None,
        )
        address = boot.port.addresses[0]["address"]
        record = Record(boot.flavor_id, str(run_dir), address, image=boot.image, host=host)
        self._save(instance_id, record)
        return record

    def _converge(self, instance_id: str, record: Record) -> None:
        agent_process = self._agent(instance_id)
        if record.fenced or agent_process.boot() == record.boot:
            return
        if record.boot > 1:
            self._shut_down(instance_id, record.boot)
            self._hosts.bring(instance_id, record.host)
            equip(self._layout.server(instance_id), self._images.programs(record.image))
        self._layout.make_run_dir(pathlib.Path(record.run_dir), self._layout.owner.of_instance(record.address))
        environment = self._processes.environment(instance_id, record.boot)
        agent_process.start(self._settings.command, environment, record.boot)

    def _shut_down(self, instance_id: str, boot: int) -> None:
        """What a machine does that reboots into ``boot``: end the agent first, so that it starts nothing anew, then
        the database, which gets its time to write everything out. What runs in ``boot`` already is left alone."""
        arguments = self._agent(instance_id).arguments

        def agents() -> list[psutil.Process]:
            found = self._processes.of(instance_id, before=boot)
            return [each.process for each in found if each.command()[-len(arguments) :] == arguments]

        end(agents, _AGENT_GRACE, f"Server of instance {instance_id}")
        self._end(instance_id, self._settings.stop_timeout, before=boot)

    def _end(self, instance_id: str, grace: float, before: int | None = None) -> None:
        def everything() -> list[psutil.Process]:
            return [found.process for found in self._processes.of(instance_id, before)]

        deadline = time.monotonic() + grace
        while True:
            end(everything, max(0.0, deadline - time.monotonic()), f"Server of instance {instance_id}")
            agent.reap()
            if self._agent(instance_id).boot() is None:
                return
            # An agent just being born holds the lock before it bears the marks.
            if time.monotonic() > deadline + _AGENT_GRACE:
                raise base.CloudError(f"Server of instance {instance_id}: an unknown process holds its agent.lock")
            time.sleep(0.01)

    def _discard(self, instance_id: str, record: Record | None) -> None:
        """Finish a delete, or remove what a create left before its record was written (and anything started)."""
        if record is not None:
            self._end(instance_id, self._settings.delete_timeout)
        self._remove(instance_id, record)

    @contextlib.contextmanager
    def _working_on(self, instance_id: str, timeout: float | None = None) -> Iterator[None]:
        checked_id(instance_id)
        with files.naming(f"Server of instance {instance_id}"), self._locks.hold(instance_id, timeout):
            self._hosts.mend(instance_id)
            yield

    def _remove(self, instance_id: str, record: Record | None) -> None:
        if record is not None:
            files.remove_tree(pathlib.Path(record.run_dir))
        self._hosts.remove(instance_id)

    def _agent(self, instance_id: str) -> Agent:
        return Agent(self._layout.server(instance_id))

    def _record(self, instance_id: str) -> Record | None:
        # It may be moved between two looks.
        looks = (files.read_json(self._hosts.find(instance_id) / _RECORD) for _ in range(2))
        found = next((record for record in looks if record is not None), None)
        return None if found is None else Record(**found)

    def _existing(self, instance_id: str) -> Record:
        record = self._record(instance_id)
        if record is None or record.deleting:
            raise base.NotFound(f"Server of instance {instance_id} cannot be found.")
        return record

    def _save(self, instance_id: str, record: Record) -> None:
        files.write_json(self._layout.server(instance_id) / _RECORD, dataclasses.asdict(record))
