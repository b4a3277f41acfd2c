# SPDX-License-Identifier: Apache-2.0
"""Who is elected, and what that leaves."""

import pathlib
import types
from typing import Any, cast

import pytest

from dbflow.db.models import Base, Instance
from dbflow.db.replicas import make_source
from dbflow.db.session import Database
from dbflow.services.seed import ensure_datastore
from dbflow.waits import Overdue
from flows.registry import REGISTRY
from flows.tasks.base import FlowContext
from flows.tasks.replicas import ElectSource, transactions


def elect(**positions: str | None) -> tuple[str, Any, int]:
    """Of replicas that are called by their names."""
    names = [f"settled_{number}" for number in range(1, len(positions) + 1)]
    task = ElectSource(requires=names)
    fence = types.SimpleNamespace(confirm=lambda within=0.0: None)
    task.bind(cast(FlowContext, types.SimpleNamespace(fence=fence)))
    answers = [None if one is None else {"position": one, "port": 3306} for one in positions.values()]
    return task.execute(list(positions), **dict(zip(names, answers, strict=True)))


def test_the_one_that_has_most() -> None:
    assert elect(a="0-1-9", b="0-1-10", c="0-1-2")[0] == "b"
    assert elect(a="0-7-9", b="0-1-9,1-1-3") == ("b", {"position": "0-1-9,1-1-3", "port": 3306}, 1)


def test_of_those_that_answer() -> None:
    elected, answer, others = elect(a=None, b="0-1-1", c=None)
    assert (elected, answer["position"], others) == ("b", "0-1-1", 0)
    with pytest.raises(Overdue, match="No replica answers"):
        elect(a=None)


def test_a_source_that_nobody_wrote_to() -> None:
    assert elect(a="", b="")[2] == 1
    assert transactions("") == () < transactions("0-1-1") < transactions("0-1-2")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_step_for_each_replica(count: int) -> None:
    ids = [f"replica-{number}" for number in range(count)]
    arguments = REGISTRY.definition("instance.replicate").example | {"replica_ids": ids}
    names = {node["name"] for node in REGISTRY.graph("instance.replicate", arguments=arguments)["nodes"]}
    assert {f"begin-replica-{number}" for number in range(1, count + 1)} <= names
    assert f"begin-replica-{count + 1}" not in names


def test_the_login_of_replicas_goes_from_the_dead_source_to_the_new_one(tmp_path: pathlib.Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    Base.metadata.create_all(database.engine)
    version = ensure_datastore(database, "mariadb", "10.11", "10.11.14", "mariadb", None)
    common = {"project_id": "p", "user_id": "u", "datastore_version_id": version, "flavor_id": "1"}
    with database.write() as session:
        session.add(Instance(id="dead", name="dead", replication="sealed", **common))
        session.add_all([Instance(id=name, name=name, replica_of_id="dead", **common) for name in ("new", "other")])
        session.flush()
        make_source(session, "new", ["other"], before=["dead"])
    with database.read() as session:
        found = {one.id: (one.replica_of_id, one.replication) for one in session.query(Instance)}
    database.close()
    assert found == {"dead": (None, None), "new": (None, "sealed"), "other": ("new", None)}
