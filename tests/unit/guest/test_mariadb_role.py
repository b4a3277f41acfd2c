# SPDX-License-Identifier: Apache-2.0
"""What a server is to others outlives it."""

import dataclasses
import pathlib

import pytest

from guest.datastores.base import Machine
from guest.datastores.mariadb import role
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.role import Part, Role


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    machine = Machine("i", "127.1.2.3", 3306, tmp_path / "d", tmp_path / "r", tmp_path / "l", None)
    made = Layout.of(machine)
    made.make_directories()
    return made


def test_alone_without_a_file(layout: Layout) -> None:
    assert role.load(layout) == Role()
    assert Role().options() == []


@pytest.mark.parametrize(
    ("kept", "options"),
    [
        (Role(Part.REPLICA, read_only=True), {"--read-only=1", "--rpl-semi-sync-slave-enabled=1"}),
        (
            Role(Part.SOURCE, acknowledged=True, fallback=2.5),
            {"--read-only=0", "--rpl-semi-sync-master-enabled=1", "--rpl-semi-sync-master-timeout=2500"},
        ),
        (Role(Part.SOURCE, acknowledged=True), {f"--rpl-semi-sync-master-timeout={365 * 86400 * 1000}"}),
    ],
)
def test_kept_and_part_of_every_start(layout: Layout, kept: Role, options: set[str]) -> None:
    role.save(layout, kept)
    assert role.load(layout) == kept
    assert options <= set(role.load(layout).options())


@pytest.mark.parametrize("kept", [None, Role(Part.SOURCE, acknowledged=True)])
def test_a_fenced_server_is_read_only_whatever_it_was(layout: Layout, kept: Role | None) -> None:
    if kept is not None:
        role.save(layout, kept)
    fenced = dataclasses.replace(layout, machine=dataclasses.replace(layout.machine, fenced=True))
    options = role.load(fenced).options()
    assert {"--read-only=1", "--rpl-semi-sync-master-enabled=0"} <= set(options)
