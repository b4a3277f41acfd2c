# SPDX-License-Identifier: Apache-2.0
"""Start, stop, crash and configure a server that is installed."""

import dataclasses
import shutil
import signal
import socket
import time

import psutil
import pytest

from dbflow.status import Service
from guest.datastores.base import DatastoreError
from tests.contract.site import SETTINGS, TIMEOUT, Site
from tests.servers.pausing import pause
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _running(site: Site) -> None:
    site.datastore.lifecycle.configure(SETTINGS)
    site.datastore.lifecycle.start(TIMEOUT)


def _status(site: Site) -> str:
    return site.datastore.lifecycle.health().service_status


def _server(site: Site) -> psutil.Process:
    process = site.process()
    assert process is not None
    return process


def _kill(site: Site) -> None:
    process = _server(site)
    process.kill()
    wait_for(lambda: site.process() is None or not process.is_running(), TIMEOUT, "the server to be gone")


def test_health_tells_version_and_load(site: Site) -> None:
    health = site.datastore.lifecycle.health()
    assert health.service_status == Service.HEALTHY
    assert health.version is not None
    assert health.version[0].isdigit()
    assert health.load["threads_connected"] >= 1


def test_start_when_it_runs_changes_nothing(site: Site) -> None:
    before = _server(site)
    site.datastore.lifecycle.start(TIMEOUT)
    assert _server(site) == before


def test_stopped_on_purpose_stays_stopped(site: Site) -> None:
    site.datastore.lifecycle.stop(TIMEOUT)
    assert _status(site) == Service.SHUTDOWN
    assert site.process() is None
    next_agent = site.after_agent_restart()
    next_agent.lifecycle.resume()
    assert next_agent.lifecycle.health().service_status == Service.SHUTDOWN
    site.datastore.lifecycle.stop(TIMEOUT)
    site.datastore.lifecycle.start(TIMEOUT)
    assert _status(site) == Service.HEALTHY


def test_restart_makes_a_new_process_and_keeps_data(site: Site) -> None:
    password = site.password()
    site.accounts.enable_root(password)
    before = _server(site)
    site.datastore.lifecycle.restart(TIMEOUT)
    assert _server(site) != before
    assert site.accounts.root_enabled()
    site.accounts.disable_root()


def test_crash_is_told_and_resumed(site: Site) -> None:
    _kill(site)
    assert _status(site) == Service.CRASHED
    site.after_agent_restart().lifecycle.resume()
    assert _status(site) == Service.HEALTHY


def test_reboot_that_loses_the_run_directory(site: Site) -> None:
    _kill(site)
    shutil.rmtree(site.machine.run_dir)
    site.after_agent_restart().lifecycle.resume()
    assert _status(site) == Service.HEALTHY


def test_lost_run_directory_does_not_hide_a_running_server(site: Site) -> None:
    shutil.rmtree(site.machine.run_dir)
    assert _status(site) == Service.RUNNING
    site.datastore.lifecycle.restart(TIMEOUT)
    assert _status(site) == Service.HEALTHY


def test_pid_of_another_process_is_not_believed(site: Site) -> None:
    """After a reboot the pid in the file may be anybody's."""
    site.datastore.lifecycle.stop(TIMEOUT)
    for path in site.machine.run_dir.rglob("*"):
        if path.is_file():
            path.unlink()
    (site.machine.run_dir / site.kit.pid_file).write_text(str(psutil.Process().pid))
    assert _status(site) == Service.SHUTDOWN
    site.datastore.lifecycle.stop(TIMEOUT)
    site.datastore.lifecycle.start(TIMEOUT)
    assert _status(site) == Service.HEALTHY


def test_server_that_hangs_is_running_but_not_healthy(site: Site) -> None:
    process = _server(site)
    pause(process.pid)
    try:
        began = time.monotonic()
        assert _status(site) == Service.RUNNING
        assert time.monotonic() - began < 10
    finally:
        process.send_signal(signal.SIGCONT)
    wait_for(lambda: _status(site) == Service.HEALTHY, TIMEOUT, "health")


def test_server_that_does_not_end_is_killed(site: Site) -> None:
    process = _server(site)
    pause(process.pid)
    site.datastore.lifecycle.stop(0.2)
    assert site.process() is None
    assert _status(site) == Service.SHUTDOWN


def test_flavor_and_overrides_reach_the_server(site: Site) -> None:
    password = site.password()
    user = site.accounts.enable_root(password)
    for ram in (256, 1024):
        site.datastore.lifecycle.configure(dataclasses.replace(SETTINGS, ram=ram))
        site.datastore.lifecycle.restart(TIMEOUT)
        parameter, value = site.kit.memory_parameter(ram)
        assert site.kit.show(site.machine, user, password, parameter) == value
    name, value, shown = site.kit.override
    site.datastore.lifecycle.configure(dataclasses.replace(SETTINGS, overrides={name: value}))
    site.datastore.lifecycle.restart(TIMEOUT)
    assert site.kit.show(site.machine, user, password, name) == shown
    site.accounts.disable_root()


def test_taken_port_is_the_reason_given(site: Site) -> None:
    site.datastore.lifecycle.stop(TIMEOUT)
    with (
        socket.create_server((site.machine.address, site.machine.port)),
        pytest.raises(DatastoreError, match=r"does not start: .*[Aa]ddress already in use"),
    ):
        site.datastore.lifecycle.start(TIMEOUT)
    assert _status(site) == Service.CRASHED


def test_bad_configuration_is_the_reason_given(site: Site) -> None:
    overrides, reason = site.kit.broken
    site.datastore.lifecycle.stop(TIMEOUT)
    site.datastore.lifecycle.configure(dataclasses.replace(SETTINGS, overrides=overrides))
    with pytest.raises(DatastoreError, match=reason) as caught:
        site.datastore.lifecycle.start(TIMEOUT)
    assert len(str(caught.value)) < 300


def test_resume_that_fails_does_not_stop_the_agent(site: Site) -> None:
    overrides, _ = site.kit.broken
    _kill(site)
    site.datastore.lifecycle.configure(dataclasses.replace(SETTINGS, overrides=overrides))
    site.datastore.lifecycle.resume()
    assert _status(site) == Service.CRASHED


def test_override_that_breaks_the_file_is_refused(site: Site) -> None:
    name, _, _ = site.kit.override
    for overrides in ({name: "1\nskip_grant_tables"}, {"x\ny": 1}, {name: 'a"b'}):
        with pytest.raises(DatastoreError):
            site.datastore.lifecycle.configure(dataclasses.replace(SETTINGS, overrides=overrides))
