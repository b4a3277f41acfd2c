# SPDX-License-Identifier: Apache-2.0
"""Volumes of the local cloud."""

import os
import pathlib

import pytest

from dbflow.cloud.base import CloudError, NotFound, Volume
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud.conftest import MakeCloud, leftovers


def test_created_or_found(make_cloud: MakeCloud, instance_id: str) -> None:
    made = make_cloud().volumes.create(instance_id, 2, "ssd")
    assert made == make_cloud().volumes.create(instance_id, 2, "ssd") == make_cloud().volumes.get(instance_id)
    assert made == Volume(id=instance_id, size=2, type="ssd", device=made.device)
    assert pathlib.Path(made.device).is_dir()


def test_resized_both_ways_with_its_data(cloud: LocalCloud, instance_id: str) -> None:
    device = pathlib.Path(cloud.volumes.create(instance_id, 1, None).device)
    (device / "rows").write_text("data")
    assert cloud.volumes.resize(instance_id, 3).size == 3
    assert cloud.volumes.resize(instance_id, 3).size == 3
    assert cloud.volumes.resize(instance_id, 1).size == 1
    assert (device / "rows").read_text() == "data"


def test_deleted_with_its_data(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    device = pathlib.Path(cloud.volumes.create(instance_id, 1, None).device)
    (device / "deep").mkdir()
    (device / "deep" / "rows").write_text("data")
    cloud.volumes.delete(instance_id)
    cloud.volumes.delete(instance_id)
    assert leftovers(state_dir) == []
    with pytest.raises(NotFound, match=instance_id):
        cloud.volumes.get(instance_id)
    with pytest.raises(NotFound, match=instance_id):
        cloud.volumes.resize(instance_id, 2)
    assert leftovers(state_dir) == []


def test_the_data_is_for_one_user_and_the_record_is_ours(cloud: LocalCloud, instance_id: str) -> None:
    device = pathlib.Path(cloud.volumes.create(instance_id, 1, None).device)
    assert device.stat().st_mode & 0o777 == 0o700
    assert (device.parent / "volume.json").stat().st_uid == os.geteuid()


def test_root_is_not_led_astray_by_a_link_in_the_data(
    cloud: LocalCloud, open_tmp: pathlib.Path, instance_id: str
) -> None:
    precious = open_tmp / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    device = pathlib.Path(cloud.volumes.create(instance_id, 1, None).device)
    (device / "link").symlink_to(precious)
    cloud.volumes.delete(instance_id)
    assert (precious / "file").read_text() == "keep"


@pytest.mark.parametrize("bad", ["", ".", "..", "../x", "a/b", ".hidden", "x" * 65, "a\n"])
def test_an_id_that_is_a_path_is_refused(cloud: LocalCloud, bad: str) -> None:
    with pytest.raises(CloudError, match="is not an instance id"):
        cloud.volumes.create(bad, 1, None)
    with pytest.raises(CloudError, match="is not an instance id"):
        cloud.servers.delete(bad)
    with pytest.raises(CloudError, match="is not an instance id"):
        cloud.networks.create_port(bad, [], {})


def test_a_damaged_record_is_named(cloud: LocalCloud, instance_id: str) -> None:
    path = pathlib.Path(cloud.volumes.create(instance_id, 1, None).device).parent / "volume.json"
    path.write_text("{")
    with pytest.raises(CloudError, match=r"volume\.json is damaged"):
        cloud.volumes.get(instance_id)
