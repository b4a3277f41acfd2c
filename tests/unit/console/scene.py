# SPDX-License-Identifier: Apache-2.0
"""A world in which much is going on: what the console's tests look at."""

import dataclasses
import datetime
import pathlib
import re
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from taskflow.types.failure import Failure
from werkzeug.test import TestResponse

from dbflow.db.models import Conductor, Health, Instance, Operation, Sample, new_id, utcnow
from dbflow.jobboard import JobView
from dbflow.operations import State, catalog
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS
from dbflow.status import Task
from tests.unit.api.world import World

PASSWORD = "pw-Zu7-only-here"
NASTY = "<script>alert(1)</script>&\"'"
"""A name that must stay a name."""
CONDUCTOR = "node-1:4711:0a1b2c3d"


@dataclasses.dataclass
class Step:
    """What is saved of a step; times in seconds since the flow began."""

    state: str
    begun: float | None = None
    ended: float | None = None
    progress: float = 0.0
    result: Any = None
    failure: Failure | None = None
    revert_failure: Failure | None = None


def failed(words: str) -> Failure:
    """A failure with a trace, as a conductor saves it."""
    try:
        raise RuntimeError(words)
    except RuntimeError:
        return Failure()


class Scene:
    """One instance each that builds, failed, is healthy, is silent, and belongs to another project."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.world = World(directory)
        self.world.conf.set_override("interval", 0.02, "console")
        rates = self.world.app.extensions["dbflow.rates"]
        for limit in (*rates._verbs.values(), rates._unknown):
            limit.amount = 1_000_000
        users = [{"name": "app", "password": PASSWORD}]
        self.building = self.world.created(name="orders-primary", users=users, databases=[{"name": NASTY[:60]}])
        self.create = self.world.instance(self.building).operation_id or ""
        self.broken = self.world.created(name="reports", users=users)
        self.failed = self.world.instance(self.broken).operation_id or ""
        self.healthy = self.world.active(name=NASTY)
        self.silent = self.world.active(name="sessions")
        self.replica = self.world.active(name="sessions-replica-1")
        self.foreign = self.world.active("other", name="theirs")
        self._dress()

    def _dress(self) -> None:
        self.flow(self.create, _RUNNING, State.RUNNING)
        self.flow(self.failed, _FAILED, State.FAILED)
        now = utcnow()
        later = now + datetime.timedelta(hours=1)
        with self.world.database.write() as session:
            operation = session.get_one(Operation, self.failed)
            operation.error = f"step create-server: no room for {NASTY}. Could not be undone: step create-port: in use"
            operation.finished = now
            broken = session.get_one(Instance, self.broken)
            broken.task, broken.operation_id = Task.ERROR, None
            broken.fault = {"message": f"Creating the instance failed: {NASTY}", "details": "", "created": "x"}
            session.get_one(Instance, self.replica).replica_of_id = self.silent
            healthy = session.get_one(Health, self.healthy)
            healthy.load = {"threads_connected": 12.0, "threads_running": 3.0, "questions": 48211.0}
            healthy.volume_total, healthy.datastore_version, healthy.agent_version = 1.0, "10.11.14", "0.1.0"
            for number in range(12):  # the server was restarted half-way
                load = {"threads_connected": 8.0 + number, "threads_running": 2.0, "questions": 300.0 * (number % 6)}
                at = now - datetime.timedelta(minutes=5 * (12 - number))
                used = 0.05 + number / 100
                session.add(Sample(instance_id=self.healthy, slot=number, at=at, volume_used=used, load=load))
            silent = session.get_one(Health, self.silent)
            silent.seen = now - datetime.timedelta(minutes=17)
            session.add(
                Conductor(name=CONDUCTOR, host="node-1", pid=4711, version="0.1.0", leader=True, flows=1, seen=later)
            )
            for well in (self.healthy, self.replica, self.foreign):
                session.get_one(Health, well).seen = later
            gone = now - datetime.timedelta(minutes=5)
            session.add(Conductor(name="node-2:9:ffff", host="node-2", pid=9, version="0.1.0", started=gone, seen=gone))
        self.world.jobs = [JobView(self.create, "instance.create", "NORMAL", now, CONDUCTOR)]

    def flow(self, operation_id: str, steps: dict[str, Step], state: State) -> None:
        """What a conductor has saved of an operation; steps that are not named are PENDING."""
        began = utcnow() - datetime.timedelta(seconds=40)
        with self.world.database.write() as session:
            operation = session.get_one(Operation, operation_id)
            operation.state, operation.attempts, operation.conductor, operation.epoch = state, 1, CONDUCTOR, 17
            operation.created = began - datetime.timedelta(seconds=1)
            operation.started = began
            common = {"created_at": began, "updated_at": began, "meta": {}}
            session.execute(LOGBOOKS.insert().values(uuid=operation_id, name="b", **common))
            session.execute(FLOWS.insert().values(uuid=operation.flow_uuid, parent_uuid=operation_id, **common))
            arguments = self.world.keyring.unseal(operation.arguments)
            graph = catalog().graph(operation.kind, operation.version, arguments)
            for node in graph["nodes"]:
                row = self._row(steps.get(node["name"], Step("PENDING")), began)
                session.execute(
                    ATOMS.insert().values(
                        uuid=new_id(), parent_uuid=operation.flow_uuid, name=node["name"], **{**common, **row}
                    )
                )

    def _row(self, step: Step, began: datetime.datetime) -> dict[str, Any]:
        meta: dict[str, Any] = {"progress": step.progress}
        for name, offset in (("started", step.begun), ("finished", step.ended)):
            if offset is not None:
                moment = began + datetime.timedelta(seconds=offset)
                meta |= {name: moment.isoformat(timespec="milliseconds"), "attempt": 1}
        seal = self.world.keyring.seal
        return {
            "state": step.state,
            "intention": "EXECUTE",
            "atom_type": "TASK_DETAIL",
            "version": "1.0",
            "meta": meta,
            "results": None if step.result is None else seal(step.result),
            "failure": None if step.failure is None else seal(step.failure.to_dict()),
            "revert_failure": None if step.revert_failure is None else seal(step.revert_failure.to_dict()),
        }

    def step(self, operation_id: str, name: str, state: str) -> None:
        """A step has come further."""
        with self.world.database.write() as session:
            flow = sa.select(Operation.flow_uuid).where(Operation.id == operation_id).scalar_subquery()
            changed = ATOMS.update().where(ATOMS.c.parent_uuid == flow, ATOMS.c.name == name)
            session.execute(changed.values(state=state))

    def browser(self, token: str = "owner") -> "Browser":
        """Signed in with a token of the world's."""
        browser = Browser(self.world.app.test_client())
        answer = browser.client.post("/console/signin", data={"token": token})
        assert answer.status_code == 303, answer.text
        return browser


class Browser:
    """Keeps cookies, and fills forms as a browser does."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, status: int = 200, **more: Any) -> TestResponse:
        """A page below /console."""
        answer = self.client.get(f"/console{path}", **more)
        assert answer.status_code == status, answer.text
        return answer

    def post(self, path: str, status: int = 303, page: str = "/operations", **fields: Any) -> TestResponse:
        """Send a form, with the token that ``page`` has for it."""
        answer = self.client.post(f"/console{path}", data={"csrf": self.csrf(page), **fields})
        assert answer.status_code == status, answer.text
        return answer

    def csrf(self, page: str = "/operations") -> str:
        """What the forms of a page carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(page).text)
        assert found
        return found[1]


_RUNNING = {
    "create-port": Step("SUCCESS", 0.1, 0.3, 1.0, {"id": "port-1", "addresses": [{"address": "127.0.3.7"}]}),
    "create-volume": Step("SUCCESS", 0.1, 1.2, 1.0, {"id": "volume-1", "size": 1}),
    "open-channel": Step("SUCCESS", 0.1, 0.4, 1.0, {"guest_key": "s3al-me", "note": f"it was {PASSWORD}"}),
    "create-server": Step("SUCCESS", 1.3, 3.9, 1.0, {"id": "server-1"}),
    "install-datastore": Step("RUNNING", 30.0, None, 0.4),
}
_FAILED = {
    "create-port": Step("REVERT_FAILURE", 0.1, 9.0, 1.0, revert_failure=failed("the port is in use")),
    "create-volume": Step("REVERTED", 0.1, 8.2, 1.0),
    "open-channel": Step("REVERTED", 0.1, 8.0, 1.0),
    "create-server": Step("REVERTED", 1.3, 7.5, failure=failed(f"no room for {NASTY} with {PASSWORD}")),
}
