# SPDX-License-Identifier: Apache-2.0
"""Choosing the driver, and what it says at start when this machine is not fit."""

import os
import pathlib

import pytest
from oslo_config import cfg

import dbflow.cloud
from dbflow.cloud.base import CloudError, Flavor, NotFound
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud import forked
from tests.unit.cloud.conftest import MakeCloud, boot, fake_command, settings


def test_the_default_driver_is_the_local_cloud(state_dir: pathlib.Path) -> None:
    assert isinstance(dbflow.cloud.load(settings(state_dir)), LocalCloud)


def test_an_unknown_driver_is_named(state_dir: pathlib.Path) -> None:
    conf = settings(state_dir)
    conf.set_override("driver", "cumulus", "cloud")
    with pytest.raises(CloudError, match=r"'cumulus'; installed: .*local"):
        dbflow.cloud.load(conf)


def test_flavors_by_ram(make_cloud: MakeCloud) -> None:
    flavors = make_cloud(flavors=["9:big:4096:2:20", "1:small:256:1"]).flavors
    assert flavors.list() == [Flavor("1", "small", 256, 1), Flavor("9", "big", 4096, 2, disk=20)]
    assert flavors.get("9").name == "big"
    with pytest.raises(NotFound, match="Flavor 2 cannot be found"):
        flavors.get("2")


@pytest.mark.parametrize("bad", ["x:name:1:1", "1:name:1", "1:name:0:1", "1::256:1", "1:name:256:1:big"])
def test_a_bad_flavor_is_refused(state_dir: pathlib.Path, bad: str, tmp_path: pathlib.Path) -> None:
    conf = settings(state_dir)
    file = tmp_path / "dbflow.conf"
    file.write_text(f"[local_cloud]\nflavors = {bad}\n")
    conf(["--config-file", str(file)], project="dbflow-test")
    with pytest.raises(cfg.ConfigFileValueError, match="flavors"):
        LocalCloud(conf)


def test_a_doubled_flavor_is_refused(make_cloud: MakeCloud) -> None:
    with pytest.raises(CloudError, match="flavors: two of them"):
        make_cloud(flavors=["1:a:256:1", "1:b:512:1"])


def test_nothing_needs_root(open_tmp: pathlib.Path, instance_id: str) -> None:
    open_tmp.chmod(0o777)
    command = fake_command(open_tmp)

    def life() -> None:
        assert os.geteuid() != 0
        cloud = LocalCloud(settings(open_tmp / "theirs", run_as="nobody-of-this-name"), command=command)
        port = cloud.networks.create_port(instance_id, [], {})
        volume = cloud.volumes.create(instance_id, 1, None)
        assert cloud.servers.create(boot(instance_id, port=port, volume=volume)).status == "ACTIVE"
        config = open_tmp / "theirs" / "servers" / instance_id / "config" / "machine.conf"
        assert "run_as" not in config.read_text()
        assert cloud.servers.resize(instance_id, "2").flavor_id == "2"
        assert (open_tmp / "theirs").stat().st_mode & 0o077 == 0
        cloud.servers.delete(instance_id)
        cloud.volumes.delete(instance_id)
        cloud.networks.delete_port(instance_id)
        assert cloud.inventory() == {"servers": [], "volumes": [], "ports": [], "processes": []}

    assert forked.run_unprivileged(life) == 0


def test_a_state_directory_of_somebody_else_is_named(open_tmp: pathlib.Path) -> None:
    """Not ours to write: below a directory that this user has no right to write in."""
    closed = open_tmp / "closed"
    closed.mkdir(mode=0o555)

    def start() -> None:
        with pytest.raises(CloudError, match=r"state_dir .*closed/cloud: Permission denied"):
            LocalCloud(settings(closed / "cloud"))

    assert forked.run_unprivileged(start) == 0


class TestAsRoot:
    """What holds when the control plane is root. Run as another user, the same objects say what they skip: nothing
    of it, since then databases run as that user (checked first)."""

    def test_a_missing_user_is_named_with_the_remedy(self, state_dir: pathlib.Path) -> None:
        conf = settings(state_dir, run_as="nobody-of-this-name")
        if os.geteuid() != 0:
            assert LocalCloud(conf).inventory()["servers"] == []
            return
        with pytest.raises(CloudError, match=r"no user 'nobody-of-this-name'.*useradd --system"):
            LocalCloud(conf)

    def test_root_is_no_user_for_databases(self, state_dir: pathlib.Path) -> None:
        conf = settings(state_dir, run_as="root")
        if os.geteuid() != 0:
            assert LocalCloud(conf).inventory()["servers"] == []
            return
        with pytest.raises(CloudError, match="unprivileged"):
            LocalCloud(conf)

    def test_an_unreachable_directory_is_named(self, open_tmp: pathlib.Path) -> None:
        closed = open_tmp / "closed"
        closed.mkdir(mode=0o700)
        conf = settings(closed / "deep" / "cloud")
        if os.geteuid() != 0:
            assert LocalCloud(conf).inventory()["servers"] == []
            return
        with pytest.raises(CloudError, match=f"others may not enter {closed}; run 'chmod o[+]x {closed}'"):
            LocalCloud(conf)
