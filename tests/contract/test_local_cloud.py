# SPDX-License-Identifier: Apache-2.0
"""The local cloud with a real MariaDB, started by the real plug-in from an image that the cloud built."""

import contextlib
import os
import pathlib
import secrets
import socket
import sys
import uuid
from collections.abc import Iterator

import psutil
import pymysql
import pytest
from oslo_config import cfg

from dbflow import conf as dbflow_conf
from dbflow import guestconfig
from dbflow.cloud.base import Boot
from dbflow.cloud.local import LocalCloud
from tests.contract.site import UNPRIVILEGED
from tests.waiting import wait_for

AGENT = pathlib.Path(__file__).with_name("local_agent.py")
UP = 60.0


@pytest.fixture
def conf(open_tmp: pathlib.Path) -> cfg.ConfigOpts:
    """Of a cloud on a port that is ours."""
    conf = dbflow_conf.register(cfg.ConfigOpts())
    conf([], project="dbflow-test", default_config_files=[], default_config_dirs=[])
    with socket.create_server(("127.255.0.9", 0)) as probe:
        port = probe.getsockname()[1]
    for name, value in {"state_dir": str(open_tmp / "cloud"), "run_as": UNPRIVILEGED, "port": port}.items():
        conf.set_override(name, value, "local_cloud")
    return conf


@pytest.fixture
def instance_id(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Of an instance that is deleted at the end, whatever the test did."""
    made = str(uuid.uuid4())
    yield made
    delete(new_cloud(conf), made)


def new_cloud(conf: cfg.ConfigOpts) -> LocalCloud:
    return LocalCloud(conf, command=[sys.executable, str(AGENT)])


def create(cloud: LocalCloud, instance_id: str) -> str:
    """As the create flow does. Returns the address."""
    port = cloud.networks.create_port(instance_id, [], {})
    volume = cloud.volumes.create(instance_id, 1, None)
    files = guestconfig.render(
        instance_id=instance_id,
        manager="mariadb",
        url="memory://",
        exchange="dbflow",
        key=secrets.token_bytes(32),
        heartbeat_interval=10.0,
    )
    boot = Boot(instance_id, "1", None, port, volume, files, manager="mariadb")
    assert cloud.servers.create(boot).status == "ACTIVE"
    return port.id


def delete(cloud: LocalCloud, instance_id: str) -> None:
    cloud.servers.delete(instance_id)
    cloud.volumes.delete(instance_id)
    cloud.networks.delete_port(instance_id)


def answers(address: str, port: int) -> bool:
    """Whether a MariaDB server says no to a stranger there."""
    try:
        pymysql.connect(host=address, port=port, user="stranger", password="x", connect_timeout=2).close()
    except pymysql.err.OperationalError as error:
        return error.args[0] in (1045, 1130)
    return True


def servers(cloud: LocalCloud, instance_id: str) -> list[psutil.Process]:
    """The instance's mariadbd, as the cloud finds it."""
    entries = (entry.split() for entry in cloud.inventory()["processes"])
    return [psutil.Process(int(pid)) for owner, name, pid in entries if owner == instance_id and name == "mariadbd"]


def test_a_database_lives_and_dies(conf: cfg.ConfigOpts, instance_id: str) -> None:
    cloud = new_cloud(conf)
    port = conf.local_cloud.port
    assert "mariadb" in cloud.prepare()
    assert (pathlib.Path(conf.local_cloud.state_dir) / "images" / "mariadb").is_dir()

    address = create(cloud, instance_id)
    wait_for(lambda: answers(address, port), UP, "MariaDB to answer at the instance's address")
    (database,) = wait_for(lambda: servers(cloud, instance_id), 5, "mariadbd to be found by its marks")
    assert (database.uids().real == 0) is False, "the database server is not root"

    # The agent dies; the database goes on; the agent is brought back beside it.
    (agent,) = [each for each in database.parents() if each.pid != 1 and "--config-dir" in each.cmdline()]
    agent.kill()
    wait_for(lambda: cloud.servers.get(instance_id).status == "SHUTOFF", 10, "the agent's death to be seen")
    new_cloud(conf).keep()
    assert cloud.servers.get(instance_id).status == "ACTIVE"
    assert servers(cloud, instance_id) == [database]

    # The machine reboots into another flavor; the database is another process on the same address.
    assert new_cloud(conf).servers.resize(instance_id, "2").flavor_id == "2"
    wait_for(lambda: answers(address, port), UP, "MariaDB to answer after the reboot")
    (rebooted,) = servers(cloud, instance_id)
    assert rebooted != database

    delete(new_cloud(conf), instance_id)
    assert cloud.inventory() == {"servers": [], "volumes": [], "ports": [], "processes": []}
    with contextlib.closing(socket.socket()) as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind((address, port))


def test_an_orphaned_database_is_deleted_too(conf: cfg.ConfigOpts, instance_id: str) -> None:
    cloud = new_cloud(conf)
    address = create(cloud, instance_id)
    wait_for(lambda: answers(address, conf.local_cloud.port), UP, "MariaDB, installed without an image, to answer")
    (database,) = servers(cloud, instance_id)
    for parent in database.parents():
        if parent.pid not in (1, os.getpid()) and "--config-dir" in parent.cmdline():
            parent.kill()
    wait_for(lambda: cloud.servers.get(instance_id).status == "SHUTOFF", 10, "the agent's death to be seen")
    new_cloud(conf).servers.delete(instance_id)
    assert not database.is_running() or database.status() == psutil.STATUS_ZOMBIE
    assert cloud.inventory()["processes"] == []
