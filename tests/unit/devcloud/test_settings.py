# SPDX-License-Identifier: Apache-2.0
"""Options of a cloud."""

import pathlib
from typing import Any

import pytest

from devcloud.settings import FULL, OFFSETS, BadSettings, Settings


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"services": ("keystone", "heat")}, "heat"),
        ({"services": ("swift",)}, "keystone"),
        ({"services": ("keystone", "nova")}, "glance"),
        ({"mode": "half"}, "half"),
        ({"computes": 2}, "full"),
        ({"computes": 0, "mode": FULL}, "compute hosts"),
        ({"port_base": 65000}, "64000"),
    ],
)
def test_what_can_not_be_is_named(wishes: dict[str, Any], named: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(BadSettings, match=named):
        Settings.choose(tmp_path, wishes)


def test_a_cloud_keeps_its_settings(tmp_path: pathlib.Path) -> None:
    made = Settings.choose(tmp_path, {"mode": FULL, "computes": 2, "services": ("keystone", "swift")})
    made.save()
    assert Settings.choose(tmp_path, {}) == made
    assert Settings.choose(tmp_path, {"computes": 2}) == made
    with pytest.raises(BadSettings, match="port_base"):
        Settings.choose(tmp_path, {"port_base": 30000})


def test_there_may_be_no_cloud(tmp_path: pathlib.Path) -> None:
    assert not Settings.exist(tmp_path)
    with pytest.raises(BadSettings, match=str(tmp_path)):
        Settings.load(tmp_path)


def test_no_two_servers_share_a_port() -> None:
    assert len(set(OFFSETS.values())) == len(OFFSETS)
