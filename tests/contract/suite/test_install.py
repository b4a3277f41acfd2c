# SPDX-License-Identifier: Apache-2.0
"""Making a server on a fresh machine, with and without a prepared data directory, in one go or interrupted."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from dbflow.status import Service
from guest.datastores.base import DatastoreError
from tests.contract.kits import Kit
from tests.contract.site import SETTINGS, TIMEOUT, Site, new_site

INSTALL = """
import pathlib, sys
from tests.contract.kits import KITS
from tests.contract.site import SETTINGS, load_guest
from guest.datastores.base import Machine
manager, image, run_as, instance_id, address, port, *paths = sys.argv[1:]
(kit,) = (kit for kit in KITS if kit.manager == manager)
data, run, log = map(pathlib.Path, paths)
prepared = pathlib.Path(image) if image else None
machine = Machine(instance_id, address, int(port), data, run, log, run_as or None, prepared)
load_guest(kit)(machine).lifecycle.install(SETTINGS, lambda fraction: print(fraction, flush=True))
"""


def test_fresh_machine_is_new(fresh: Site) -> None:
    assert fresh.datastore.lifecycle.health().service_status == Service.NEW
    fresh.datastore.lifecycle.resume()
    assert fresh.process() is None
    with pytest.raises(DatastoreError, match="no database server"):
        fresh.datastore.lifecycle.start(TIMEOUT)


def test_install_without_an_image(kit: Kit) -> None:
    with new_site(kit, None) as site:
        seen: list[float] = []
        site.datastore.lifecycle.install(SETTINGS, seen.append)
        assert site.datastore.lifecycle.health().service_status == Service.HEALTHY
        assert seen == sorted(seen)
        assert seen[-1] == 1.0


def test_install_twice_keeps_what_is_there(fresh: Site) -> None:
    fresh.install()
    password = fresh.password()
    fresh.accounts.enable_root(password)
    before = fresh.process()
    fresh.install()
    assert fresh.process() == before
    assert fresh.accounts.root_enabled()


def test_image_of_another_server_is_not_used(fresh: Site, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "image"
    other.mkdir()
    (other / "made-by").write_text("somebody else")
    machine = dataclasses.replace(fresh.machine, image_dir=other)
    type(fresh.datastore)(machine).lifecycle.install(SETTINGS, lambda fraction: None)
    assert fresh.datastore.lifecycle.health().service_status == Service.HEALTHY


def test_image_build_is_whole_or_not_at_all(fresh: Site, image: pathlib.Path) -> None:
    blocked = image.parent / "blocked"
    blocked.mkdir()
    (blocked / "something").touch()
    before = sorted(image.parent.iterdir())
    with pytest.raises(OSError, match="not empty"):
        fresh.datastore.lifecycle.build_image(blocked)
    assert sorted(image.parent.iterdir()) == before


@pytest.mark.parametrize("with_image", [False, True])
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.4])
def test_install_killed_anywhere_and_run_again(kit: Kit, image: pathlib.Path, with_image: bool, delay: float) -> None:
    """Kill the agent and its children ``delay`` seconds into the installation; the next run succeeds."""
    with new_site(kit, image if with_image else None) as site:
        agent = _agent(site)
        with contextlib.suppress(subprocess.TimeoutExpired):
            agent.wait(delay)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(agent.pid, signal.SIGKILL)
        agent.communicate()
        site.install()
        assert site.datastore.lifecycle.health().service_status == Service.HEALTHY
        assert not list(site.machine.data_dir.glob(".new-*"))


def test_server_outlives_its_agent_and_is_found_again(fresh: Site) -> None:
    agent = _agent(fresh)
    agent.communicate()
    assert agent.returncode == 0
    server = fresh.process()
    assert server is not None
    assert os.getsid(server.pid) != agent.pid
    assert fresh.datastore.lifecycle.health().service_status == Service.HEALTHY
    fresh.datastore.lifecycle.resume()
    assert fresh.process() == server
    fresh.datastore.lifecycle.stop(TIMEOUT)
    assert fresh.process() is None


def _agent(site: Site) -> "subprocess.Popen[str]":
    """Another process that installs; returned once it has begun."""
    machine = site.machine
    words = [site.kit.manager, machine.image_dir or "", machine.run_as or "", machine.instance_id, machine.address]
    paths = [machine.data_dir, machine.run_dir, machine.log_dir]
    agent = subprocess.Popen(
        [sys.executable, "-c", INSTALL, *map(str, words), str(machine.port), *map(str, paths)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert agent.stdout is not None
    assert agent.stdout.readline()
    return agent
