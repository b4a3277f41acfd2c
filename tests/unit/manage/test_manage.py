# SPDX-License-Identifier: Apache-2.0
"""dbflow-manage on a deployment's database: what it prints and what it changes."""

import datetime
import pathlib
import stat

import pytest

from dbflow.cmd.manage import main
from dbflow.datastores.mariadb import MariaDB
from dbflow.db.models import Conductor, ConfigurationParameter, Health, Instance, Operation, utcnow
from dbflow.operations import State
from tests.unit.manage.conftest import Deployment


def test_db_sync_and_version(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dbflow.conf").write_text(f"[database]\nconnection = sqlite:///{tmp_path}/x.sqlite\n")
    options = ["--config-file", str(tmp_path / "dbflow.conf"), "--format", "json"]
    assert main([*options, "db", "version"]) == 1
    assert main([*options, "db", "sync"]) == 0
    assert main([*options, "db", "version"]) == 0
    assert '"version": null' in capsys.readouterr().out


def test_no_schema_is_said(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dbflow.conf").write_text(f"[database]\nconnection = sqlite:///{tmp_path}/x.sqlite\n")
    assert main(["--state-dir", str(tmp_path), "operation", "list"]) == 1
    assert "no such table: operations (see: dbflow-manage db version)" in capsys.readouterr().err


def test_a_state_dir_that_is_none(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state-dir", str(tmp_path), "operation", "list"]) == 1
    assert "has dbflow-standalone been started" in capsys.readouterr().err


def test_operation_list_and_its_filters(deployment: Deployment) -> None:
    running = deployment.operation()
    ended = deployment.operation("instance.restart", State.SUCCESS)
    assert [row["id"] for row in deployment.answer("operation", "list")] == [ended.id, running.id]
    assert [row["id"] for row in deployment.answer("operation", "list", "--running")] == [running.id]
    assert [row["id"] for row in deployment.answer("operation", "list", "--kind", "instance.restart")] == [ended.id]
    assert [row["id"] for row in deployment.answer("operation", "list", "--state", "SUCCESS")] == [ended.id]
    assert [row["id"] for row in deployment.answer("operation", "list", "--target", running.target_id)] == [running.id]
    assert deployment.answer("operation", "list", "--project", "other") == []
    assert len(deployment.answer("operation", "list", "--limit", "1")) == 1


def test_operation_show_has_steps_and_no_arguments(deployment: Deployment) -> None:
    operation = deployment.operation()
    deployment.step(operation, "create-port", "RUNNING", progress=0.5, attempt=1, started="2026-01-01T00:00:00")
    shown = deployment.answer("operation", "show", operation.id[:8])
    assert (shown["id"], shown["state"], shown["conductor"]) == (operation.id, "RUNNING", "host:1:ab")
    assert shown["actions"] == ["cancel", "suspend", "release"]
    assert shown["steps"][0] | {"name": "create-port", "state": "RUNNING", "progress": 0.5} == shown["steps"][0]
    assert deployment.run("operation", "show", operation.target_id) == 0
    printed = deployment.capsys.readouterr().out
    assert "create-port" in printed
    assert "secret" not in printed + str(shown)


def test_an_operation_nobody_knows(deployment: Deployment) -> None:
    assert deployment.run("operation", "show", "nope") == 1
    assert "no operation begins with 'nope'" in deployment.capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "before", "after", "requested"),
    [
        ("cancel", State.RUNNING, State.RUNNING, "cancel"),
        ("cancel", State.SUSPENDED, State.ACCEPTED, "cancel"),
        ("suspend", State.RUNNING, State.RUNNING, "suspend"),
        ("resume", State.SUSPENDED, State.ACCEPTED, None),
        ("retry", State.FAILED, State.ACCEPTED, "cancel"),
    ],
)
def test_verbs(deployment: Deployment, verb: str, before: State, after: State, requested: str | None) -> None:
    operation = deployment.operation(state=before)
    deployment.answer("operation", verb, operation.id)
    with deployment.database.read() as session:
        found = session.get_one(Operation, operation.id)
    assert (found.state, found.requested) == (after, requested)


@pytest.mark.parametrize("verb", ["cancel", "suspend", "resume", "retry", "release"])
def test_verbs_that_are_not_possible(deployment: Deployment, verb: str) -> None:
    operation = deployment.operation(state=State.SUCCESS)
    assert deployment.run("operation", verb, operation.id) == 1
    said = deployment.capsys.readouterr().err
    assert f"is SUCCESS and can't {verb}: " in said
    assert "(possible: nothing)" in said


def test_release_names_the_claim(deployment: Deployment) -> None:
    operation = deployment.operation(state=State.RUNNING)
    with deployment.database.write() as session:
        session.get_one(Operation, operation.id).epoch = 7
    deployment.answer("operation", "release", operation.id)
    with deployment.database.read() as session:
        assert session.get_one(Operation, operation.id).released_epoch == 7
    assert deployment.run("operation", "release", operation.id) == 1
    assert "can't release: its claim is being given up already" in deployment.capsys.readouterr().err


def test_retry_while_another_operation_has_the_instance(deployment: Deployment) -> None:
    operation = deployment.operation(state=State.FAILED)
    with deployment.database.write() as session:
        session.get_one(Instance, operation.target_id).operation_id = "another"
    assert deployment.run("operation", "retry", operation.id) == 1
    assert "busy with operation another" in deployment.capsys.readouterr().err


def test_job_list_on_the_embedded_board(deployment: Deployment) -> None:
    operation = deployment.operation(state=State.ACCEPTED)
    deployment.operation(state=State.SUCCESS)
    (job,) = deployment.answer("job", "list")
    assert (job["operation"], job["kind"], job["state"]) == (operation.id, "instance.create", "ACCEPTED")
    deployment.run("job", "list")
    assert "inside dbflow-standalone" in deployment.capsys.readouterr().err


def test_conductor_list(deployment: Deployment) -> None:
    with deployment.database.write() as session:
        seen = utcnow() - datetime.timedelta(seconds=30)
        session.add(Conductor(name="host:1:ab", host="host", pid=1, version="0.1", leader=True, flows=2, seen=seen))
        session.add(Conductor(name="host:2:cd", host="host", pid=2, version="0.1", leader=True, flows=1, seen=utcnow()))
    killed, alive = deployment.answer("conductor", "list")
    assert (alive["name"], alive["leader"], alive["flows"]) == ("host:2:cd", True, 1)
    assert (killed["name"], killed["leader"], killed["flows"]) == ("host:1:ab", False, 2)
    assert killed["silent"] >= 30


def test_draining(deployment: Deployment) -> None:
    with deployment.database.write() as session:
        gone = utcnow() - datetime.timedelta(minutes=5)
        for name, seen in (("host:1:ab", utcnow()), ("host:2:cd", gone)):
            session.add(Conductor(name=name, host="host", pid=1, version="0.1", seen=seen))

    def draining() -> bool:
        return next(row["draining"] for row in deployment.answer("conductor", "list") if row["name"] == "host:1:ab")

    assert not draining()
    assert deployment.run("conductor", "drain", "host:1:ab") == 0
    assert draining()
    assert deployment.run("conductor", "undrain", "host:1:ab") == 0
    assert not draining()
    for name, why in (("host:2:cd", "it is silent"), ("nobody", "cannot be found")):
        assert deployment.run("conductor", "drain", name) == 1
        assert why in deployment.capsys.readouterr().err


def test_guest_list(deployment: Deployment) -> None:
    heard, silent = deployment.operation(name="heard"), deployment.operation(name="\x1b[2Jsilent")
    with deployment.database.write() as session:
        session.add(Health(instance_id=heard.target_id, seen=utcnow(), service_status="HEALTHY"))
    rows = {row["instance"]: row for row in deployment.answer("guest", "list")}
    assert rows[heard.target_id]["service"] == "HEALTHY"
    assert rows[silent.target_id]["service"] is None
    deployment.run("guest", "list")
    assert "\x1b" not in deployment.capsys.readouterr().out


def test_parameters_of_a_version(deployment: Deployment) -> None:
    made = deployment.answer("datastore-version", "create", "mariadb", "10.11", "--number", "10.11.14")
    with deployment.database.write() as session:
        session.get_one(ConfigurationParameter, (made["id"], "max_connections")).bounds = {}
        session.get_one(ConfigurationParameter, (made["id"], "back_log")).deleted = True
        session.delete(session.get_one(ConfigurationParameter, (made["id"], "sql_mode")))
    loaded = deployment.answer("datastore-version", "load-parameters", made["id"])
    assert loaded == {"id": made["id"], "parameters": len(MariaDB().parameters("10.11.14"))}
    with deployment.database.read() as session:
        found = session.get_one(ConfigurationParameter, (made["id"], "max_connections"))
        assert found.bounds == {"min": 10, "max": 100000}
        assert session.get_one(ConfigurationParameter, (made["id"], "back_log")).deleted
        assert session.get(ConfigurationParameter, (made["id"], "sql_mode")) is not None
    assert deployment.run("datastore-version", "load-parameters", "nope") == 1


def test_datastore_versions(deployment: Deployment) -> None:
    made = deployment.answer(
        "datastore-version", "create", "mariadb", "10.11", "--number", "10.11.14", "--image", "i", "--default"
    )
    (row,) = deployment.answer("datastore-version", "list")
    assert (row["id"], row["datastore"], row["number"], row["default"]) == (made["id"], "mariadb", "10.11.14", True)
    changed = deployment.answer("datastore-version", "update", made["id"], "--no-active", "--image", "j")
    assert (changed["active"], changed["image_id"]) == (False, "j")
    assert deployment.answer("datastore-version", "show", made["id"]) == changed
    assert deployment.run("datastore-version", "create", "oracle", "23") == 1
    assert "there is no plug-in 'oracle'" in deployment.capsys.readouterr().err
    assert deployment.run("datastore-version", "show", "nope") == 1
    deployment.capsys.readouterr()
    assert deployment.run("datastore-version", "update", "nope", "--active") == 1
    assert "'nope' cannot be found" in deployment.capsys.readouterr().err
    assert deployment.run("datastore-version", "update", made["id"], "--image", "") == 1
    assert "an image or image tags must be specified" in deployment.capsys.readouterr().err
    other = deployment.answer("datastore-version", "create", "mariadb", "11.8")
    deployment.answer("datastore-version", "update", other["id"], "--default")
    defaults = {row["name"]: row["default"] for row in deployment.answer("datastore-version", "list")}
    assert defaults == {"10.11": False, "11.8": True}


def test_cloud_inventory_and_flavors(deployment: Deployment) -> None:
    assert deployment.answer("cloud", "inventory") == []
    rams = [flavor["ram"] for flavor in deployment.answer("flavor", "list")]
    assert rams
    assert rams == sorted(rams)


def test_key_generate_never_overwrites(deployment: Deployment, tmp_path: pathlib.Path) -> None:
    fresh = tmp_path / "more-keys"
    assert deployment.run("key", "generate", str(fresh)) == 0
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    key = fresh.read_text()
    assert deployment.run("key", "generate", str(fresh)) == 1
    assert fresh.read_text() == key
    assert key.strip() not in deployment.capsys.readouterr().out
