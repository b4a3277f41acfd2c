# SPDX-License-Identifier: Apache-2.0
"""Every command of `openstack database` and `openstack datastore` is checked by some test."""

import pytest

import tests.openstack
import tests.wire
from tests.functional.stack import Client
from tests.wire import cli
from tests.wire.cli import OpenStack, Refused
from tests.wire.commands import COMMANDS, checked_in, commands_of

CLUSTERS = "database cluster "
ANOTHER_SERVICE = {"database backup execution delete"}
"""Mistral's: python-troveclient asks the workflow service for it, never dbflow."""


def test_every_command_is_checked() -> None:
    """By a test that is marked with it and looks at its effect; those of clusters come with clusters."""
    assert len(COMMANDS) >= 84
    ours = {command for command in COMMANDS - ANOTHER_SERVICE if not command.startswith(CLUSTERS)}
    assert checked_in(tests.wire) | checked_in(tests.openstack) == ours


def test_only_what_ends_well_counts(openstack: OpenStack, member: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "SUCCEEDED", succeeded := [])
    for command in ("database backup list instance nothing", "database nothing"):
        with pytest.raises(Refused):
            openstack(command)
    assert succeeded == []
    openstack("database backup list")
    openstack("database quota show", member.project)
    openstack("network agent --help")
    assert commands_of(succeeded) == {"database backup list", "database quota show"}
