# SPDX-License-Identifier: Apache-2.0
"""The guest tasks, as the agent runs them: arguments and answers go through JSON."""

import inspect
import json
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from dbflow.status import Service
from guest.datastores.base import AlreadyExists, NotFound, Unsupported
from guest.tasks import accounts, lifecycle, status, volume
from guest.tasks.base import GuestTask
from tests.contract.site import Site

RAM, VCPUS = 512, 1


@pytest.fixture(autouse=True)
def _empty(site: Site) -> Iterator[None]:
    _do(site, lifecycle.Start)
    yield
    _do(site, lifecycle.Start)
    for user in _do(site, accounts.ListUsers):
        _do(site, accounts.DeleteUser, name=user["name"], host=user["host"])
    for database in _do(site, accounts.ListDatabases):
        _do(site, accounts.DeleteDatabase, name=database["name"])
    _do(site, accounts.DisableRoot)


def _task(site: Site, task_class: type[GuestTask]) -> GuestTask:
    task = task_class()
    task.bind(site.datastore)
    return task


def _do(site: Site, task_class: type[GuestTask], **arguments: Any) -> Any:
    given = json.loads(json.dumps(arguments))
    return json.loads(json.dumps(_task(site, task_class).execute(instance_id=site.machine.instance_id, **given)))


def _undo(site: Site, task_class: type[GuestTask], **arguments: Any) -> None:
    named = inspect.signature(task_class.revert).parameters
    given = {name: value for name, value in arguments.items() if name in named}
    _task(site, task_class).revert(instance_id=site.machine.instance_id, **given)


def _service(site: Site) -> str:
    found: str = _do(site, status.Status)["service_status"]
    return found


def test_prepare_reports_progress_and_may_run_again(fresh: Site) -> None:
    task = _task(fresh, lifecycle.Prepare)
    seen: list[float] = []
    task.notifier.register("update_progress", lambda event, details: seen.append(details["progress"]))
    for _ in range(2):
        task.execute(instance_id=fresh.machine.instance_id, ram=RAM, vcpus=VCPUS, overrides={})
        assert seen[-1] == 1.0
    assert len(seen) >= 6
    assert _service(fresh) == Service.HEALTHY


def test_create_flow_may_run_again(site: Site) -> None:
    databases = [{"name": "d", "character_set": "utf8", "collate": "utf8_general_ci"}, {"name": "e"}]
    users = [{"name": "u", "password": "pw", "host": "%", "databases": ["d"]}, {"name": "v", "password": "pw"}]
    for _ in range(2):
        _do(site, accounts.CreateDatabases, databases=databases)
        _do(site, accounts.CreateUsers, users=users)
    assert [found["name"] for found in _do(site, accounts.ListDatabases)] == ["d", "e"]
    assert _do(site, accounts.ListUsers) == [
        {"name": "u", "host": "%", "databases": ["d"]},
        {"name": "v", "host": "%", "databases": []},
    ]
    assert site.kit.write_row(site.machine, "u", "pw", "d", "hello") == ["hello"]


def test_calls_of_the_api(site: Site) -> None:
    _do(site, accounts.AddDatabases, databases=[{"name": "d"}])
    with pytest.raises(AlreadyExists):
        _do(site, accounts.AddDatabases, databases=[{"name": "d"}])
    _do(site, accounts.AddUsers, users=[{"name": "u", "password": "pw"}])
    with pytest.raises(AlreadyExists):
        _do(site, accounts.AddUsers, users=[{"name": "u", "password": "pw"}])
    _do(site, accounts.Grant, name="u", databases=["d"])
    assert _do(site, accounts.GetUser, name="u") == {"name": "u", "host": "%", "databases": ["d"]}
    _do(site, accounts.Revoke, name="u", database="d")
    _do(site, accounts.UpdateUser, name="u", new_name="v")
    _do(site, accounts.SetPasswords, users=[{"name": "v", "password": "new"}])
    assert site.kit.query(site.machine, "v", "new", "SELECT 1") == [(1,)]
    _do(site, accounts.DeleteUser, name="v")
    with pytest.raises(NotFound):
        _do(site, accounts.GetUser, name="v")
    _do(site, accounts.DeleteDatabase, name="d")
    assert not _do(site, accounts.RootEnabled)
    name = _do(site, accounts.EnableRoot, password="pw")
    assert site.kit.query(site.machine, name, "pw", "SELECT 1") == [(1,)]
    assert _do(site, accounts.RootEnabled)
    _do(site, accounts.DisableRoot)
    assert not _do(site, accounts.RootEnabled)


def test_engine_without_accounts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(site.datastore, "accounts", None)
        with pytest.raises(Unsupported):
            _do(site, accounts.ListUsers)


def test_stop_start_restart_and_back(site: Site) -> None:
    _do(site, lifecycle.Stop)
    assert _service(site) == Service.SHUTDOWN
    _undo(site, lifecycle.Stop)
    assert _service(site) == Service.HEALTHY
    _undo(site, lifecycle.Start)
    assert _service(site) == Service.SHUTDOWN
    _do(site, lifecycle.Start)
    before = site.process()
    _do(site, lifecycle.Restart)
    assert site.process() != before
    _do(site, lifecycle.Stop)
    _undo(site, lifecycle.Restart)
    assert _service(site) == Service.HEALTHY


def test_flavor_and_back(site: Site) -> None:
    arguments = {"ram": 1024, "vcpus": 2, "overrides": {}, "old_ram": RAM, "old_vcpus": VCPUS}
    password = site.password()
    user = _do(site, accounts.EnableRoot, password=password)
    _do(site, lifecycle.ApplyFlavor, **arguments)
    _do(site, lifecycle.Restart)
    parameter, value = site.kit.memory_parameter(1024)
    assert site.kit.show(site.machine, user, password, parameter) == value
    _undo(site, lifecycle.ApplyFlavor, **arguments)
    _do(site, lifecycle.Restart)
    parameter, value = site.kit.memory_parameter(RAM)
    assert site.kit.show(site.machine, user, password, parameter) == value


def test_directory_needs_no_growing(site: Site) -> None:
    before = {process.pid for process in psutil.Process().children()}
    _do(site, volume.GrowFilesystem, volume_size=7)
    assert {process.pid for process in psutil.Process().children()} == before


def test_ping_and_status(site: Site) -> None:
    assert _do(site, status.Ping) == site.machine.instance_id
    before = time.time()
    told = _do(site, status.Status)
    assert told.keys() == {"service_status", "version", "position", "load", "locked_out", "restart_required", "at"}
    assert before <= told.pop("at") <= time.time()
    _do(site, lifecycle.Stop)
    told = _do(site, status.Status)
    del told["at"]
    assert told == {
        "service_status": "SHUTDOWN",
        "version": None,
        "position": None,
        "load": {},
        "locked_out": False,
        "restart_required": None,
    }
