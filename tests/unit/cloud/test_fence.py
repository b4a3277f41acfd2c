# SPDX-License-Identifier: Apache-2.0
"""A server that is fenced runs no more, whoever wants it to, until that is taken back."""

import pathlib

import pytest

from dbflow.cloud.base import NotFound
from dbflow.cloud.local import LocalCloud
from dbflow.guestconfig import FENCED_FILE
from guest.settings import load
from tests.unit.cloud.conftest import MakeCloud, agents, boot, leftovers, log_of, processes
from tests.unit.guest.test_settings import write
from tests.waiting import wait_for


def running(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    cloud.servers.create(boot(instance_id))
    wait_for(lambda: log_of(state_dir, instance_id, "starts"), 10, "the database to be up")


def test_nobody_starts_it(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    cloud = make_cloud(delete_timeout=0.5)
    running(cloud, state_dir, instance_id)
    (agent,) = agents(cloud, instance_id)
    agent.suspend()  # as silent as a machine that is cut off
    cloud.servers.fence(instance_id)
    cloud.servers.fence(instance_id)
    assert cloud.servers.get(instance_id).status == "SHUTOFF"
    assert log_of(state_dir, instance_id, "stops") == [], "it shut down in order, and told clients of it"
    again = make_cloud()
    again.keep()
    again.servers.create(boot(instance_id))
    again.servers.resize(instance_id, "2")
    again.servers.reboot(instance_id, "a")
    assert processes(cloud, instance_id) == []
    assert (state_dir / "servers" / instance_id / "config" / FENCED_FILE).exists()


def test_it_is_taken_back(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    cloud = make_cloud()
    running(cloud, state_dir, instance_id)
    cloud.servers.unfence(instance_id)
    assert log_of(state_dir, instance_id, "boots") == ["1"]
    cloud.servers.fence(instance_id)
    for _ in range(2):
        cloud.servers.unfence(instance_id)
        assert cloud.servers.get(instance_id).status == "ACTIVE"
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2"], 10, "another boot")
    assert not (state_dir / "servers" / instance_id / "config" / FENCED_FILE).exists()


def test_it_can_be_deleted(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    running(cloud, state_dir, instance_id)
    cloud.servers.fence(instance_id)
    cloud.servers.delete(instance_id)
    assert leftovers(state_dir) == []
    with pytest.raises(NotFound):
        cloud.servers.fence(instance_id)


def test_its_guest_knows(tmp_path: pathlib.Path) -> None:
    write(tmp_path)
    assert not load(tmp_path).machine(3306).fenced
    (tmp_path / FENCED_FILE).touch()
    assert load(tmp_path).machine(3306).fenced
