# SPDX-License-Identifier: Apache-2.0
"""The cloud goes away in the middle of an operation, or trusts dbflow's tokens no more: the operation goes on when it
can, and nothing is made twice."""

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from dbflow import conf as options
from dbflow.objectstore.base import StoreError, StoreUnavailable
from dbflow.objectstore.swift import SwiftStore
from devcloud.processes import Process
from tests.fault.sweep.points import SUCCESS
from tests.functional.stack.client import PATIENCE
from tests.openstack.place import SERVICE
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.scenarios import PARTS, Backup, Create, Delete, InCloud
from tests.waiting import wait_for

FIRST, ASKED = "create-server.execute.within.1", "create-server.execute.within.2"
"""A volume was noted to be in use, or a server that could not be built removed; and a server asked for."""
TRIES = 3
"""Of a step, so that it has found nobody."""


def test_a_life_with_troubles(stack: CloudStack) -> None:
    """Services are away; and tokens are revoked between two steps of which one has used them: a backup goes on with
    Swift, a delete with all the others."""
    create, backup, delete = Create(stack), Backup(stack), Delete(stack)
    with stack.nothing_left():
        create.prepare()
        _away(create, ("nova", "keystone"), "create-server", 5)
        assert create.whole(PARTS) == []
        for scenario in (backup, delete):
            scenario.instance_id, scenario.password = create.instance_id, create.password
        backup.fill()
        _revoked(backup, "stream-backup.execute.begun")
        assert backup.check(SUCCESS) == []
        _revoked(delete, "delete-port.execute.called")
        assert delete.check(SUCCESS) == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "services", "step"),
    [
        (Create, ("nova", "keystone"), "create-server"),
        (Create, ("neutron", "cinder"), "create-port"),
        (Backup, ("swift", "keystone"), "keep-backup"),
        (Delete, ("nova", "neutron", "cinder", "keystone"), "delete-server"),
    ],
)
def test_a_minute(stack: CloudStack, kind: type[InCloud], services: tuple[str, ...], step: str) -> None:
    scenario = kind(stack)
    with stack.nothing_left():
        scenario.prepare()
        _away(scenario, services, step, 60)
        assert scenario.check(SUCCESS) == []
        scenario.leave()


def test_nova_finds_no_host_for_want_of_placement(stack: CloudStack) -> None:
    """The server that could not be built goes, the conductor dies of it, and the next one has it built."""
    create = Create(stack)
    with stack.nothing_left():
        create.prepare()
        with stack.faults.holding(ASKED) as asked:
            with stack.faults.holding(FIRST) as held:
                create.ask()
                held.reached()
                create.find()
                stack.place.devcloud.kill("placement")
            asked.reached()
            stack.faults.arm(FIRST, "kill")  # before anybody can look what became of the server
        # Nova may not be able to remove it either, and is told again then.
        servers, failed = stack.place.admin.compute, {"name": f"dbflow-{create.instance_id}", "status": "ERROR"}
        wait_for(lambda: stack.faults.fired(FIRST) or [*servers.servers(**failed)], PATIENCE, "no host to be found")
        stack.place.devcloud.succeed("up")
        wait_for(lambda: stack.faults.fired(FIRST), PATIENCE, "the server's end to be asked for")
        stack.start()
        _ended_well(create)
        assert create.check(SUCCESS) == []


@pytest.mark.full
@pytest.mark.parametrize("service", ["neutron", "cinder"])
def test_away_while_a_server_is_built(stack: CloudStack, service: str) -> None:
    """Nova gives the server up, and it is made anew."""
    create = Create(stack)
    with stack.nothing_left():
        with _frozen(stack, "nova-compute"):
            first = _asked(create)
            stack.place.devcloud.kill(service)
        wait_for(lambda: True in _builds(stack, first), PATIENCE, "Nova to give the server up")
        stack.place.devcloud.succeed("up")
        _made_anew(create, first)


@pytest.mark.full
def test_nova_starts_anew_while_a_server_is_built(stack: CloudStack) -> None:
    """It gives the server up, and says no word of it."""
    create = Create(stack)
    with stack.nothing_left():
        with contextlib.ExitStack() as thawed:
            with _frozen(stack, "nova-compute"):
                first = _asked(create)
                thawed.enter_context(_frozen(stack, "neutron"))
            wait_for(lambda: _builds(stack, first), PATIENCE, "a host to begin")
            stack.place.devcloud.kill("nova")
        stack.place.devcloud.succeed("up")
        _made_anew(create, first)


def _asked(create: Create) -> str:
    """Id of the server that Nova was asked for."""
    create.prepare()
    create.cloud.faults.record()
    create.ask()
    wait_for(lambda: ASKED in create.cloud.faults.passed(), PATIENCE, "a server to be asked for")
    create.find()
    return str(create.server().id)


def _made_anew(create: Create, first: str) -> None:
    _ended_well(create)
    assert create.server().id != first
    assert create.check(SUCCESS) == []


def _builds(stack: CloudStack, server_id: str) -> list[bool]:
    """Of the hosts that have begun to build it, whether they have ended."""
    nova = stack.place.devcloud.openstack("admin").compute
    (action,) = nova.server_actions(server_id)
    events = nova.get_server_action(action.request_id, server_id).events
    return [one.finish_time is not None for one in events if one.event == "compute__do_build_and_run_instance"]


@contextlib.contextmanager
def _frozen(stack: CloudStack, service: str) -> Iterator[None]:
    processes = _processes(stack, service)
    for one in processes:
        one.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in processes:
            one.signal(signal.SIGCONT)


def _processes(stack: CloudStack, service: str) -> list[Process]:
    found = [one for one in Process.all(stack.place.devcloud.settings) if one.name.startswith(service)]
    assert found
    return found


def _away(scenario: InCloud, services: tuple[str, ...], step: str, seconds: float) -> None:
    """For so long at least, from before the step until it has been tried in vain."""
    stack, point = scenario.cloud, f"{step}.execute.called"
    stack.faults.record()
    with stack.faults.holding(point) as held:
        scenario.ask()
        held.reached()
        scenario.find()
        for service in services:
            stack.place.devcloud.kill(service)
        back = time.monotonic() + seconds

    def tried() -> bool:
        return stack.faults.passed().count(point) >= TRIES and time.monotonic() > back

    wait_for(tried, PATIENCE, f"{TRIES} tries of {point}")
    stack.place.devcloud.succeed("up")
    _ended_well(scenario)


def _revoked(scenario: InCloud, point: str) -> None:
    with scenario.cloud.faults.holding(point) as held:
        scenario.ask()
        held.reached()
        scenario.cloud.place.devcloud.revoke(SERVICE)
    _ended_well(scenario)


def _ended_well(scenario: InCloud) -> None:
    def done() -> dict[str, Any] | None:
        found = scenario.operation()
        return found if found["done"] else None

    ended = wait_for(done, PATIENCE, f"the end of {scenario.of}")
    assert ended["state"] == SUCCESS, ended.get("error")


def test_swift_s_own_login(stack: CloudStack) -> None:
    """Its connection is a thread's own, and keeps its token."""
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[str(stack.conf)])
    store = SwiftStore(conf)
    store.make_container("login")
    stack.place.devcloud.revoke(SERVICE)

    def asked() -> list[tuple[str, int]] | None:
        with contextlib.suppress(StoreUnavailable):  # within the second of the revocation
            return list(store.sizes("login", ""))
        return None

    wait_for(lambda: asked() == [], PATIENCE, "an answer to a new token")
    conf.set_override("swift_password", "wrong", "object_store")
    with pytest.raises(StoreError, match="does not accept dbflow's login"):
        SwiftStore(conf).make_container("login")
    stack.place.admin.delete_container("login")
