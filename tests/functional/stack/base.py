# SPDX-License-Identifier: Apache-2.0
"""What both sets of parts have in common."""

import abc
import contextlib
import json
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

import psutil
import sqlalchemy as sa
from taskflow.states import SUSPENDING

from dbflow.cloud.local.processes import Found, Processes
from dbflow.db.models import Operation
from dbflow.db.session import Database
from dbflow.faults import VARIABLE
from dbflow.persistence.tables import FLOWS
from guest.settings import load
from tests.functional.stack.client import PATIENCE, Client
from tests.functional.stack.faults import Faults
from tests.functional.stack.inventory import Inventory, difference, of_cloud, of_database, of_objects
from tests.functional.stack.process import Service
from tests.waiting import wait_for

Settings = Mapping[str, Mapping[str, object]]

# Nothing but what would stand in the way of many tests in a row.
SETTINGS: Settings = {
    "api": {
        f"{name}_rate": 1_000_000 for name in ("http_get", "http_post", "http_put", "http_delete", "unauthenticated")
    },
    "quota": {"max_instances_per_tenant": 100, "max_volumes_per_tenant": 1000},
    # The machine has two cores for all that tests start.
    "messaging": {"heartbeat_interval": 1.0, "take_call_timeout": 15.0, "call_timeout": 45.0},
    # So that every test would show what is taken for an orphan.
    "conductor": {"orphan_interval": 2.0, "orphan_grace": 3.0},
    # Long enough for every lock that is held by one of us, short enough for a test that holds one.
    "local_cloud": {"lock_timeout": 3.0, "hosts": "one,two"},
}


class Stack(abc.ABC):
    """A whole dbflow in processes of its own. A context manager: it leaves nothing behind."""

    kind: str

    def __init__(self, images: pathlib.Path, settings: Settings | None = None) -> None:
        """``images``: prepared data directories, shared by all stacks. ``settings``: group -> option -> value."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="dbflow-stack-"))
        self.directory.chmod(0o711)
        self.faults = Faults(self.directory / "faults")
        self._settings = {group: dict(SETTINGS.get(group, {})) for group in {*SETTINGS, *(settings or {})}}
        for group, options in (settings or {}).items():
            self._settings[group] |= options
        self._settings.setdefault("local_cloud", {})["image_dir"] = str(images)
        self._settings.setdefault("secret_store", {})["directory"] = str(self.directory / "secrets")

    def keep_secret(self, client: Client, name: str, data: bytes) -> str:
        """Put a secret where the client's project keeps its own: how it is referred to."""
        path = self.directory / "secrets" / client.endpoint.rpartition("/")[2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
        return f"file:{name}"

    @property
    @abc.abstractmethod
    def cloud(self) -> pathlib.Path:
        """State directory of the local cloud."""

    @property
    @abc.abstractmethod
    def objects(self) -> pathlib.Path:
        """Directory of the file store."""

    @property
    @abc.abstractmethod
    def services(self) -> list[Service]:
        """Our processes."""

    @abc.abstractmethod
    def client(self) -> Client:
        """An ordinary user."""

    @abc.abstractmethod
    def admin(self) -> Client:
        """The administrator, in another project."""

    @abc.abstractmethod
    def database(self) -> Database:
        """dbflow's own state; close it."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start what does not run; returns when the API serves."""

    @abc.abstractmethod
    def bury(self, point: str) -> None:
        """A process dies at a fault point: return when it is dead and the stack serves without it. What another
        process goes on with stays dead until :meth:`start`."""

    @abc.abstractmethod
    def kill_runner(self, operation_id: str) -> None:
        """SIGKILL the conductor process that runs an operation, and bury it."""

    @abc.abstractmethod
    def close(self) -> None:
        """Stop everything of the control plane."""

    def service(self, name: str, arguments: Sequence[str], ready: Callable[[Service], bool]) -> Service:
        """A process of this stack, in which faults can be put."""
        return Service(name, arguments, self.directory, ready, {VARIABLE: str(self.faults.directory)})

    def parts_inventory(self) -> Inventory:
        """What only this set of parts has."""
        return {}

    def inventory(self) -> Inventory:
        """Everything there is of instances, in every place."""
        with contextlib.closing(self.database()) as database:
            rows = of_database(database)
        return self.inventory_of_cloud() | rows | of_objects(self.objects) | self.parts_inventory()

    def settled_inventory(self) -> Inventory:
        """The same, of no operation that has ended and whose job is about to go."""

        def settled() -> Inventory | None:
            found = self.inventory()
            return found if found["unfinished operations"] or not found.get("jobs") else None

        return wait_for(settled, PATIENCE, "the jobs of what has ended to go")

    def inventory_of_cloud(self) -> Inventory:
        """What the local cloud has."""
        return of_cloud(self.cloud)

    @contextlib.contextmanager
    def nothing_left(self) -> Iterator[None]:
        """The block leaves nothing behind."""
        before = self.settled_inventory()
        yield
        self.wait_inventory(before)

    @contextlib.contextmanager
    def nothing_left_but_rows(self) -> Iterator[None]:
        """The block may leave instances in SQL, but nothing that they are made of."""
        rows: Inventory = {"instances": [], "health": []}
        before = self.settled_inventory() | rows
        yield
        self.wait_inventory(before, rows)

    def wait_inventory(self, wanted: Inventory, but: Inventory | None = None) -> None:
        """Until the inventory is that one again; places of ``but`` count as that."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.inventory() | (but or {}) == wanted, PATIENCE / 4, "the inventory")
        changed = difference(wanted, self.inventory() | (but or {}))
        if changed:
            raise AssertionError(f"place: (gone, left behind): {changed}")

    def wait_stopping(self, operation_id: str) -> None:
        """Until the engine of a running operation has heard that it is to stop after the steps that are held."""

        def heard() -> bool:
            flow = sa.select(FLOWS.c.state).join(Operation, Operation.flow_uuid == FLOWS.c.uuid)
            with contextlib.closing(self.database()) as database, database.read() as session:
                return session.scalar(flow.where(Operation.id == operation_id)) == SUSPENDING

        wait_for(heard, PATIENCE, f"an engine that stops operation {operation_id}")

    def agent(self, instance_id: str) -> psutil.Process | None:
        """The guest agent's process of an instance."""
        return self._process(instance_id, lambda found: "guest.main" in found.command())

    def database_server(self, instance_id: str) -> psutil.Process | None:
        """The database server's process of an instance."""
        return self._process(instance_id, lambda found: found.name() == "mariadbd")

    def _process(self, instance_id: str, fits: Callable[[Found], bool]) -> psutil.Process | None:
        found = Processes(str(self.cloud)).of(instance_id)
        return next((one.process for one in found if fits(one)), None)

    def addresses(self) -> dict[str, str]:
        """Instance -> address of its machine, as the cloud has it, which answers when nobody else does."""
        found = {}
        for path in self.cloud.glob("servers/*/server.json"):
            with contextlib.suppress(FileNotFoundError):  # it is being deleted
                found[path.parent.name] = str(json.loads(path.read_text())["address"])
        return found

    def tell(self) -> str:
        """The last words of every service, for a test that failed."""
        return "\n".join(f"== {one.name}\n" + "\n".join(one.text().splitlines()[-40:]) for one in self.services)

    def logs(self) -> list[pathlib.Path]:
        """Of the services; guests have their own."""
        return [one.log for one in self.services]

    def stream_log(self, instance_id: str, name: str) -> pathlib.Path:
        """What the process of a stream says, while it is there."""
        machine = load(self.cloud / "servers" / instance_id / "config").machine(3306)
        return machine.run_dir / "streams" / name / "worker.log"

    def set(self, group: str, **options: object) -> None:
        """More settings, before the first start."""
        self._settings.setdefault(group, {}).update(options)

    def write_settings(self, path: pathlib.Path, more: Settings | None = None) -> pathlib.Path:
        """A configuration file."""
        lines = []
        for group in {**self._settings, **(more or {})}:
            lines.append(f"[{group}]")
            options = {**self._settings.get(group, {}), **(more or {}).get(group, {})}
            lines += [f"{name} = {str(value).replace('$', '$$')}" for name, value in options.items()]
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
        return path

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for one in Processes(str(self.cloud)).all():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.process.kill()
        wait_for(lambda: not list(Processes(str(self.cloud)).all()), 30, "the end of the instances")
        shutil.rmtree(self.directory, ignore_errors=True)
