# SPDX-License-Identifier: Apache-2.0
"""A local cloud whose guest agent is a shell script."""

import contextlib
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from oslo_config import cfg

from dbflow import conf as dbflow_conf
from dbflow.cloud.base import Boot, Port
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud.forked import NOBODY

HERE = pathlib.Path(__file__).parent
MakeCloud = Callable[..., LocalCloud]


def settings(state_dir: pathlib.Path, **options: Any) -> cfg.ConfigOpts:
    """A configuration with these options of [local_cloud]."""
    conf = dbflow_conf.register(cfg.ConfigOpts())
    conf([], project="dbflow-test", default_config_files=[], default_config_dirs=[])
    for name, value in {"state_dir": str(state_dir), "run_as": NOBODY, **options}.items():
        conf.set_override(name, value, "local_cloud")
    return conf


def fake_command(directory: pathlib.Path) -> list[str]:
    """The fake agent, copied to where any user may read it."""
    for name in ("fake_agent.sh", "fake_database.sh"):
        target = directory / name
        target.write_text((HERE / name).read_text())
        target.chmod(0o755)
    return ["/bin/bash", str(directory / "fake_agent.sh")]


@pytest.fixture
def state_dir(open_tmp: pathlib.Path) -> pathlib.Path:
    """Where the clouds of a test keep their state; not made yet."""
    return open_tmp / "cloud"


@pytest.fixture
def make_cloud(open_tmp: pathlib.Path, state_dir: pathlib.Path) -> Iterator[MakeCloud]:
    """Make a cloud object, as a newly started conductor does: ``make_cloud(state_dir=…, **options)``. At the end
    every server of every state directory is deleted."""
    command = fake_command(open_tmp)
    used: list[pathlib.Path] = []

    def make(state_dir: pathlib.Path = state_dir, **options: Any) -> LocalCloud:
        used.append(state_dir)
        return LocalCloud(settings(state_dir, **options), command=command)

    yield make
    for directory in set(used):
        with contextlib.suppress(FileNotFoundError):
            for instance_id in os.listdir(directory / "servers"):
                LocalCloud(settings(directory, delete_timeout=0.2), command=command).servers.delete(instance_id)


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> LocalCloud:
    """A cloud."""
    return make_cloud()


@pytest.fixture
def instance_id() -> str:
    """Of a new instance."""
    return str(uuid.uuid4())


def boot(instance_id: str, **changes: Any) -> Boot:
    """What a flow gives to a new server."""
    port = Port("p", ({"address": "127.77.0.1", "type": "private"},))
    values: dict[str, Any] = {
        "instance_id": instance_id,
        "flavor_id": "1",
        "image": None,
        "port": port,
        "volume": None,
        "files": {"guest.conf": "[guest]\n"},
    }
    return Boot(**(values | changes))


def processes(cloud: LocalCloud, instance_id: str) -> list[psutil.Process]:
    """Living processes of a server, by what the cloud's own inventory says."""
    found = []
    for entry in cloud.inventory()["processes"]:
        with contextlib.suppress(psutil.NoSuchProcess):
            if entry.startswith(instance_id):
                found.append(psutil.Process(int(entry.split()[-1])))
    return found


def agents(cloud: LocalCloud, instance_id: str) -> list[psutil.Process]:
    """The living agents among them (one, if all is well); a shell's helpers do not lead a session."""
    found = []
    for process in processes(cloud, instance_id):
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if "--config-dir" in process.cmdline() and os.getsid(process.pid) == process.pid:
                found.append(process)
    return found


def boots_of(cloud: LocalCloud, instance_id: str) -> set[str]:
    """Boot numbers that the living processes of a server belong to; one that is exiting has none any more."""
    found = set()
    for process in processes(cloud, instance_id):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(process.environ().get("DBFLOW_BOOT"))
    return {boot for boot in found if boot is not None}


def log_of(state_dir: pathlib.Path, instance_id: str, name: str) -> list[str]:
    """Lines that fake agent or database wrote into a file of their log directory."""
    path = state_dir / "servers" / instance_id / "log" / name
    return path.read_text().split() if path.exists() else []


def leftovers(state_dir: pathlib.Path) -> list[str]:
    """Everything below the state directory but its rooms, and those of hosts."""
    rooms = {state_dir / name for name in ("servers", "hosts", "volumes", "addresses", "locks", "images")}
    rooms.update((state_dir / "hosts").iterdir())
    return sorted(str(path) for path in state_dir.rglob("*") if path not in rooms)
