# SPDX-License-Identifier: Apache-2.0
"""Servers of the local cloud: an agent process and what it started."""

import configparser
import os
import pathlib
import signal
import stat
import uuid

import psutil
import pytest

from dbflow.cloud.base import UNDONE, CloudError, NotFound, Unavailable, Volume
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud import forked
from tests.unit.cloud.conftest import MakeCloud, agents, boot, boots_of, leftovers, log_of, processes, settings
from tests.waiting import wait_for


def created(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str, lines: int = 1) -> psutil.Process:
    """A server whose database is up. Returns the agent."""
    cloud.servers.create(boot(instance_id))
    wait_for(lambda: len(log_of(state_dir, instance_id, "starts")) >= lines, 10, "the database to be up")
    (agent,) = agents(cloud, instance_id)
    return agent


def database(state_dir: pathlib.Path, instance_id: str) -> psutil.Process:
    return psutil.Process(int(log_of(state_dir, instance_id, "database.pid")[0]))


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more, reaped by whoever adopted it or not yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill_agent(agent: psutil.Process, cloud: LocalCloud, instance_id: str) -> None:
    agent.kill()
    wait_for(lambda: cloud.servers.get(instance_id).status == "SHUTOFF", 5, "the agent to be seen dead")


def test_created_or_found(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    agent = created(make_cloud(), state_dir, instance_id)
    again = make_cloud().servers.create(boot(instance_id))
    assert (again.id, again.status, again.flavor_id) == (instance_id, "ACTIVE", "1")
    assert agents(make_cloud(), instance_id) == [agent]


def test_outlives_the_process_that_made_it(make_cloud: MakeCloud, instance_id: str) -> None:
    cloud = make_cloud()
    assert forked.run(lambda: cloud.servers.create(boot(instance_id))) == 0
    assert make_cloud().servers.get(instance_id).status == "ACTIVE"
    wait_for(lambda: agents(cloud, instance_id), 5, "the agent")
    (agent,) = agents(cloud, instance_id)
    assert os.getsid(agent.pid) == agent.pid != os.getsid(0)


def test_racing_creates_start_one_agent(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    clouds = [make_cloud() for _ in range(8)]
    racers = [forked.start(lambda c=cloud: c.servers.create(boot(instance_id))) for cloud in clouds]
    assert [forked.join(pid) for pid in racers] == [0] * 8
    wait_for(lambda: log_of(state_dir, instance_id, "starts"), 10, "the database to be up")
    assert log_of(state_dir, instance_id, "boots") == ["1"]


def test_a_guest_gets_its_configuration_and_no_secret_of_ours(
    cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PASSWORD", "operators-secret")
    volume = cloud.volumes.create(instance_id, 1, None)
    cloud.servers.create(boot(instance_id, volume=volume, files={"guest.conf": "key = k$y\n", "sub/x": "y"}))
    config = state_dir / "servers" / instance_id / "config"
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in config.rglob("*") if path.is_file()} == {0o600}
    assert (config / "guest.conf").read_text() == "key = k$y\n"
    assert (config / "sub" / "x").read_text() == "y"
    machine = configparser.ConfigParser(interpolation=None)
    machine.read(config / "machine.conf")
    values = dict(machine["machine"])
    uid = 1_879_048_192 + 127 * 2**24 % 2**24 + 77 * 2**16 + 1  # of 127.77.0.1, and of no other instance
    assert values.pop("run_as", None) == (f"{uid}:{uid}" if os.geteuid() == 0 else None)
    assert pathlib.Path(volume.device).stat().st_uid == (uid if os.geteuid() == 0 else os.geteuid())
    assert values == {
        "address": "127.77.0.1",
        "port": "3306",
        "data_dir": volume.device,
        "run_dir": values["run_dir"],
        "log_dir": str(state_dir / "servers" / instance_id / "log"),
    }
    assert len(values["run_dir"]) < 80
    wait_for(lambda: processes(cloud, instance_id), 5, "the agent")
    for process in processes(cloud, instance_id):
        assert "operators-secret" not in str(process.environ())


def test_an_image_is_passed_on_once_it_is_complete(
    cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    (state_dir / "images" / "mariadb").mkdir()
    (state_dir / "images" / ".redis").mkdir()
    other = str(uuid.uuid4())
    cloud.servers.create(boot(instance_id, manager="mariadb"))
    cloud.servers.create(boot(other, manager="redis"))
    text = (state_dir / "servers" / instance_id / "config" / "machine.conf").read_text()
    assert f"image_dir = {state_dir / 'images' / 'mariadb'}\n" in text
    assert "image_dir" not in (state_dir / "servers" / other / "config" / "machine.conf").read_text()


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "machine.conf"])
def test_files_stay_in_the_configuration_directory(
    cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str, name: str
) -> None:
    with pytest.raises(CloudError, match="configuration directory"):
        cloud.servers.create(boot(instance_id, files={name: "x"}))
    cloud.servers.delete(instance_id)
    assert leftovers(state_dir) == []


def test_an_unknown_flavor_makes_nothing(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    with pytest.raises(NotFound, match="Flavor 77"):
        cloud.servers.create(boot(instance_id, flavor_id="77"))
    assert leftovers(state_dir) == []


def test_what_is_not_there(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    for call in (
        lambda: cloud.servers.get(instance_id),
        lambda: cloud.servers.reboot(instance_id, "a"),
        lambda: cloud.servers.resize(instance_id, "2"),
        lambda: cloud.servers.confirm_resize(instance_id),
    ):
        with pytest.raises(NotFound, match=instance_id):
            call()
    cloud.servers.delete(instance_id)
    assert leftovers(state_dir) == []


def test_delete_ends_adopted_children_in_order(
    cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str, open_tmp: pathlib.Path
) -> None:
    agent = created(cloud, state_dir, instance_id)
    kill_agent(agent, cloud, instance_id)
    orphan = database(state_dir, instance_id)
    assert orphan.ppid() != agent.pid
    stops = open_tmp / "stops"
    os.link(_touch(state_dir / "servers" / instance_id / "log" / "stops"), stops)
    cloud.servers.delete(instance_id)
    assert ended(orphan)
    assert stops.read_text() == "clean\n", "the database was asked to stop before it was killed"
    assert leftovers(state_dir) == []
    assert cloud.inventory() == {"servers": [], "volumes": [], "ports": [], "processes": []}


def _touch(path: pathlib.Path) -> pathlib.Path:
    path.touch()
    return path


def test_delete_kills_what_does_not_listen(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    cloud = make_cloud(delete_timeout=0.3)
    agent = created(cloud, state_dir, instance_id)
    (state_dir / "servers" / instance_id / "log" / "stubborn").touch()
    cloud.servers.reboot(instance_id, "a")
    wait_for(lambda: len(log_of(state_dir, instance_id, "starts")) == 2, 10, "the stubborn database")
    stopped = database(state_dir, instance_id)
    stopped.send_signal(signal.SIGSTOP)
    cloud.servers.delete(instance_id)
    assert ended(agent)
    assert ended(stopped)
    assert leftovers(state_dir) == []


def test_delete_ends_processes_whose_server_is_not_on_record(
    cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    created(cloud, state_dir, instance_id)
    (state_dir / "servers" / instance_id / "server.json").unlink()
    cloud.servers.delete(instance_id)
    assert cloud.inventory()["processes"] == []


def test_delete_leaves_other_servers_alone(
    make_cloud: MakeCloud, state_dir: pathlib.Path, open_tmp: pathlib.Path, instance_id: str
) -> None:
    cloud, twin = make_cloud(), make_cloud(open_tmp / "twin")
    neighbour = str(uuid.uuid4())
    survivors = [created(cloud, state_dir, neighbour), created(twin, open_tmp / "twin", instance_id)]
    created(cloud, state_dir, instance_id)
    cloud.servers.delete(instance_id)
    assert [survivor.is_running() for survivor in survivors] == [True, True]
    assert cloud.inventory()["servers"] == [neighbour]


def test_keep_starts_a_dead_agent_which_finds_its_database(
    make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    cloud = make_cloud()
    agent = created(cloud, state_dir, instance_id)
    running = database(state_dir, instance_id)
    cloud.keep()
    assert agents(cloud, instance_id) == [agent]
    kill_agent(agent, cloud, instance_id)
    make_cloud().keep()
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "1"], 10, "the new agent")
    assert make_cloud().servers.get(instance_id).status == "ACTIVE"
    assert running.is_running()
    assert log_of(state_dir, instance_id, "starts") == ["up"]
    assert agent not in agents(cloud, instance_id)


def test_keep_brings_everything_back_after_the_machine_restarted(
    make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    cloud = make_cloud()
    created(cloud, state_dir, instance_id)
    for process in processes(cloud, instance_id):
        process.kill()
    wait_for(lambda: not processes(cloud, instance_id), 5, "everything to be dead")
    make_cloud().keep()
    wait_for(lambda: len(log_of(state_dir, instance_id, "starts")) == 2, 10, "the database to be up again")


def test_keep_leaves_a_broken_server_for_the_others(
    make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    cloud = make_cloud()
    broken, dead = sorted([instance_id, str(uuid.uuid4())])
    agent = created(cloud, state_dir, dead)
    created(cloud, state_dir, broken)
    kill_agent(agent, cloud, dead)
    record = state_dir / "servers" / broken / "server.json"
    whole = record.read_text()
    record.write_text("{")
    cloud.keep()
    assert cloud.servers.get(dead).status == "ACTIVE"
    record.write_text(whole)


def test_keep_does_not_wait_for_a_busy_server(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    cloud = make_cloud(lock_timeout=0.1)
    kill_agent(created(cloud, state_dir, instance_id), cloud, instance_id)
    with cloud.volumes._locks.hold(instance_id):  # type: ignore[attr-defined]
        cloud.keep()
        assert cloud.servers.get(instance_id).status == "SHUTOFF"
        with pytest.raises(Unavailable, match=f"{instance_id} is being worked on"):
            cloud.servers.reboot(instance_id, "a")
    cloud.keep()
    assert cloud.servers.get(instance_id).status == "ACTIVE"


def test_reboot_stops_the_database_in_order_and_starts_it(
    cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    agent = created(cloud, state_dir, instance_id)
    before = database(state_dir, instance_id)
    cloud.servers.reboot(instance_id, "a")
    assert cloud.servers.get(instance_id).status == "ACTIVE"
    wait_for(lambda: len(log_of(state_dir, instance_id, "starts")) == 2, 10, "the database to be up again")
    assert log_of(state_dir, instance_id, "stops") == ["clean"]
    assert ended(before)
    assert ended(agent)
    assert boots_of(cloud, instance_id) == {"2"}


def test_one_reboot_however_often_it_is_asked_for(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    created(cloud, state_dir, instance_id)
    for once in ("a", "a", "b", "b"):
        cloud.servers.reboot(instance_id, once)
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2", "3"], 10, "two reboots")


def test_resize_and_back(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    created(cloud, state_dir, instance_id)
    assert cloud.servers.resize(instance_id, "2").flavor_id == "2"
    assert cloud.servers.resize(instance_id, "2").status == "ACTIVE"
    cloud.servers.confirm_resize(instance_id)
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2"], 10, "one reboot")
    server = cloud.servers.revert_resize(instance_id, "1")
    assert (server.flavor_id, server.status) == ("1", "ACTIVE")
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2", "3"], 10, "a second reboot")
    with pytest.raises(NotFound, match="Flavor 99"):
        cloud.servers.resize(instance_id, "99")


def test_a_long_state_directory_gets_a_short_place_for_sockets(
    make_cloud: MakeCloud, open_tmp: pathlib.Path, instance_id: str
) -> None:
    deep = open_tmp / ("d" * 60) / "cloud"
    cloud = make_cloud(deep)
    created(cloud, deep, instance_id)
    machine = configparser.ConfigParser(interpolation=None)
    machine.read(deep / "servers" / instance_id / "config" / "machine.conf")
    run_dir = pathlib.Path(machine["machine"]["run_dir"])
    assert len(str(run_dir)) < 80
    assert run_dir.is_dir()
    assert run_dir.parent.stat().st_uid == os.geteuid()
    assert run_dir.parent.stat().st_mode & 0o022 == 0
    cloud.servers.delete(instance_id)
    assert not run_dir.exists()
    assert leftovers(deep) == []


def test_a_place_for_sockets_that_is_somebody_elses_is_refused(
    make_cloud: MakeCloud, open_tmp: pathlib.Path, instance_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = open_tmp / f"dbflow-{os.geteuid()}"
    planted.symlink_to(open_tmp)
    monkeypatch.setattr("tempfile.tempdir", str(open_tmp))
    cloud = make_cloud(open_tmp / ("d" * 60) / "cloud")
    with pytest.raises(CloudError, match="is not a directory that only user"):
        cloud.servers.create(boot(instance_id))


def test_an_agent_that_can_not_be_started_is_named(
    cloud: LocalCloud, state_dir: pathlib.Path, open_tmp: pathlib.Path, instance_id: str
) -> None:
    broken = LocalCloud(settings(state_dir), command=[str(open_tmp / "missing")])
    with pytest.raises(CloudError, match=f"Server of instance {instance_id}: No such file"):
        broken.servers.create(boot(instance_id))
    assert cloud.servers.create(boot(instance_id)).status == "ACTIVE"


def test_a_server_without_volume_has_data_of_its_own(
    cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    cloud.servers.create(boot(instance_id))
    assert (state_dir / "servers" / instance_id / "data").is_dir()
    other = str(uuid.uuid4())
    cloud.servers.create(boot(other, volume=Volume(other, 1, None, str(state_dir / "elsewhere"))))
    assert not (state_dir / "servers" / other / "data").exists()


def test_rebuilt_of_another_image_and_back(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    programs = state_dir / "rootfs" / "next" / "bin"
    programs.mkdir(parents=True)
    (programs.parent / "image.json").write_text('{"name": "next", "tags": []}')
    cloud = make_cloud()
    first = created(cloud, state_dir, instance_id)
    config = state_dir / "servers" / instance_id / "config"

    for once in ("a", "a"):  # asked for twice it is the same rebuild
        cloud.servers.rebuild(instance_id, "next", {"guest.conf": "new"}, once)
    assert cloud.servers.get(instance_id).image == "next"
    assert f"\nprograms = {programs}\n" in (config / "machine.conf").read_text()
    assert (config / "guest.conf").read_text() == "new"
    assert ended(first)
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2"], 10, "the second boot")

    cloud.servers.rebuild(instance_id, None, {"guest.conf": "old"}, "b")
    assert cloud.servers.get(instance_id).image is None
    assert "programs" not in (config / "machine.conf").read_text()
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2", "3"], 10, "the third boot")

    cloud.servers.rebuild(instance_id, None, {"guest.conf": "old"}, f"c{UNDONE}")
    cloud.servers.rebuild(instance_id, "next", {"guest.conf": "new"}, "c")
    assert cloud.servers.get(instance_id).image is None, "one that comes after its undoing is too late"
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2", "3", "4"], 10, "the fourth boot")


def test_an_image_that_is_not_there(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    with pytest.raises(NotFound, match="Image 'none'"):
        cloud.servers.create(boot(instance_id, image="none"))
    created(cloud, state_dir, instance_id)
    with pytest.raises(NotFound, match="Image 'none'"):
        cloud.servers.rebuild(instance_id, "none", {}, "a")
    assert log_of(state_dir, instance_id, "boots") == ["1"]
