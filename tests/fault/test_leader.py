# SPDX-License-Identifier: Apache-2.0
"""The leader is killed; a conductor wakes so late that what it makes is nobody's; what is nobody's is found."""

import contextlib
import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from typing import Any

import kombu
import psutil
import pytest
import sqlalchemy as sa
from oslo_config import cfg

from dbflow import conf as options
from dbflow import guestconfig
from dbflow.cloud.base import Boot
from dbflow.cmd.manage import main
from dbflow.cmd.wiring import Parts
from dbflow.crypto import new_message_key
from dbflow.db.models import Conductor
from dbflow.messaging.layout import Layout
from dbflow.messaging.logins import logins
from tests.functional.stack import RealStack
from tests.functional.stack.client import PATIENCE
from tests.functional.stack.fixtures import after_failure
from tests.functional.stack.process import Service
from tests.waiting import wait_for

LATE = "create-volume.execute.fenced"


@pytest.fixture
def real(request: pytest.FixtureRequest, real_stack: RealStack) -> Iterator[RealStack]:
    yield real_stack
    after_failure(request, real_stack)
    real_stack.start()


def _conductors(real: RealStack) -> list[Conductor]:
    with contextlib.closing(real.database()) as database, database.read() as session:
        return list(session.scalars(sa.select(Conductor)))


def _leader(real: RealStack) -> Service | None:
    """Of the conductors that live, the one that says that it leads."""
    leading = {row.pid for row in _conductors(real) if row.leader}
    return next((one for one in real.conductors if one.alive and one.pid in leading), None)


def test_another_leads_soon_after_the_leader_was_killed(real: RealStack) -> None:
    client = real.client()
    killed = wait_for(lambda: _leader(real), PATIENCE, "a leader")
    killed.kill9()
    began = time.monotonic()
    leads = wait_for(lambda: _leader(real), PATIENCE, "another leader")
    took = time.monotonic() - began
    told = f"another leads {took:.1f} s after SIGKILL, with sessions of {real.session_timeout:g} s"
    print(f"\n{told}")
    assert leads is not killed
    # The session's time-out, half of one more (ZooKeeper counts in ticks), and what a busy machine adds.
    assert took < 1.5 * real.session_timeout + 6.0, told

    with real.nothing_left():  # and it does the work: an API that fails before it posts leaves that to the leader
        real.faults.arm("operation.accepted", "raise")
        body = {"instance": {"name": "unposted", "flavorRef": "1", "volume": {"size": 1}}}
        assert client.raw("POST", "/instances", body).status_code == 500
        (left,) = client.ask("GET", "/instances")["instances"]
        client.wait_status(left["id"], "ACTIVE")
        client.deleted(left["id"])


def test_a_conductor_that_wakes_too_late_makes_nothing(real: RealStack) -> None:
    """It sleeps between the check of its claim and the call of the cloud, until its instance is made by another, and
    deleted."""
    client, admin = real.client(), real.admin()
    with real.nothing_left(), real.faults.holding(LATE) as held:
        instance_id, create = client.create("late")
        held.reached()
        for beside in ("create-port", "open-channel"):
            client.wait_step(create, beside, "SUCCESS")
        name = admin.operation(create)["conductor"]
        runner = real.running_in(admin.operation(create))
        os.kill(runner.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: admin.operation(create)["conductor"] != name, PATIENCE, "another conductor")
            client.wait_operation(create)
            client.deleted(instance_id)
        finally:
            os.kill(runner.pid, signal.SIGCONT)
        held.let_go()
        refused = f"step create-volume does nothing: operation {create}"
        wait_for(lambda: refused in runner.text(), PATIENCE, "the late call to be refused")


def test_orphans_are_reported_and_reaped(real: RealStack, capsys: pytest.CaptureFixture[str]) -> None:
    def manage(*arguments: str) -> Any:
        capsys.readouterr()
        assert main(["--config-file", str(real.conf), "--format", "json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    client, orphan = real.client(), str(uuid.uuid4())
    with real.nothing_left():
        living = client.created("living")
        with real.nothing_left():
            _leave(real, orphan)
            wanted = [{"kind": kind, "id": orphan} for kind in ("messages", "port", "server", "volume")]
            found = wait_for(lambda: _reported(manage("cloud", "orphans")), PATIENCE, "a report")
            assert [{key: one[key] for key in ("kind", "id")} for one in found] == wanted
            counts = lambda: {row.orphans for row in _conductors(real) if row.leader}  # noqa: E731
            wait_for(lambda: 4 in counts(), PATIENCE, "the leader's count")

            assert [one["removed"] for one in manage("cloud", "reap")] == [False] * 4
            assert [one["id"] for one in manage("cloud", "orphans")] == [orphan] * 4
            assert manage("cloud", "reap", "--yes") == [{**one, "removed": True} for one in wanted]
            assert manage("cloud", "orphans") == []
        client.wait_healthy(living["id"])
        client.deleted(living["id"])


def _reported(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All rows, once there are four and each has been reported."""
    return rows if len(rows) == 4 and all(row["reported"] for row in rows) else []


def _leave(real: RealStack, instance_id: str) -> None:
    """Everything that an instance has, of one that never was."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project="dbflow", default_config_files=[str(real.conf)])
    parts, messaging, key = Parts.from_conf(conf), conf.messaging, new_message_key()
    made = logins(messaging.url, messaging.exchange, messaging.management_url)
    made.open(instance_id, key)
    with kombu.Connection(messaging.url) as connection:
        Layout(messaging.exchange).guest(instance_id)(connection.channel()).declare()
    port = parts.cloud.networks.create_port(instance_id, [], {})
    volume = parts.cloud.volumes.create(instance_id, 1, None)
    files = guestconfig.render(
        instance_id=instance_id,
        manager="mariadb",
        url=made.url(instance_id, key),
        exchange=messaging.exchange,
        key=key,
        heartbeat_interval=1.0,
    )
    parts.cloud.servers.create(Boot(instance_id, "1", None, port, volume, files, manager="mariadb"))
    assert isinstance(real.agent(instance_id), psutil.Process)
    parts.database.close()
