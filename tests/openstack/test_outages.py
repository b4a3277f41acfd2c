# SPDX-License-Identifier: Apache-2.0
"""The cloud goes away in the middle of an operation, or trusts dbflow's tokens no more: the operation goes on when it
can, and nothing is made twice."""

import contextlib
import time
from typing import Any

import pytest
from oslo_config import cfg

from dbflow import conf as options
from dbflow.objectstore.base import StoreError, StoreUnavailable
from dbflow.objectstore.swift import SwiftStore
from tests.fault.sweep.points import SUCCESS
from tests.functional.stack.client import PATIENCE
from tests.openstack.place import SERVICE
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.scenarios import PARTS, Backup, Create, Delete, InCloud
from tests.waiting import wait_for

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

    wait_for(lambda: asked() == [], 10, "an answer to a new token")
    conf.set_override("swift_password", "wrong", "object_store")
    with pytest.raises(StoreError, match="does not accept dbflow's login"):
        SwiftStore(conf).make_container("login")
    stack.place.admin.delete_container("login")
