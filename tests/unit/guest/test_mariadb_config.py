# SPDX-License-Identifier: Apache-2.0
"""The formula of the configuration, and the file it is written to."""

import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbflow.datastores.mariadb_tuning import MIB
from guest.datastores.base import DatastoreError, Machine, Settings
from guest.datastores.mariadb import config
from guest.datastores.mariadb.layout import Layout

RAMS = st.integers(256, 64 * 1024)
DISK = 100 * 1024


def _layout() -> Layout:
    path = pathlib.Path("/srv/x")
    return Layout.of(Machine("11111111-2222", "127.1.2.3", 3306, path / "data", path / "run", path / "log", None))


def _rendered(overrides: dict[str, Any]) -> list[str]:
    return config.render(Settings(1024, 2, overrides), _layout(), DISK).splitlines()


@pytest.mark.parametrize(
    ("ram", "pool"), [(256, 64), (512, 240), (1024, 592), (2048, 1312), (4096, 2752), (65536, 45760)]
)
def test_buffer_pool(ram: int, pool: int) -> None:
    assert config.tuned(ram, 1, DISK)["innodb_buffer_pool_size"] == pool * MIB


@given(RAMS, st.integers(1, 128))
def test_what_is_always_allocated_fits(ram: int, vcpus: int) -> None:
    found = config.tuned(ram, vcpus, DISK)
    caches = sum(found[name] for name in ("innodb_buffer_pool_size", "key_buffer_size", "aria_pagecache_buffer_size"))
    assert caches / MIB <= ram * 0.8
    assert found["innodb_buffer_pool_size"] / MIB >= ram * 0.25 - 16  # it comes in steps of 16 MiB


@given(RAMS)
def test_more_memory_is_never_less_of_anything(ram: int) -> None:
    smaller, larger = config.tuned(ram, 2, DISK), config.tuned(ram * 2, 2, DISK)
    assert all(larger[name] >= value for name, value in smaller.items() if isinstance(value, int))


@given(RAMS, st.integers(1024, 10_000_000))
def test_redo_log_leaves_room_on_the_disk(ram: int, disk: int) -> None:
    assert config.tuned(ram, 1, disk)["innodb_log_file_size"] / MIB <= disk / 16


def test_overrides_win_over_the_formula_and_the_wiring_over_both() -> None:
    lines = _rendered({"max_connections": 7, "port": 1, "innodb_stats_on_metadata": True})
    assert [line for line in lines if line.startswith(("max_connections", "port"))] == [
        "max_connections = 7",
        "port = 3306",
    ]
    assert "innodb_stats_on_metadata = 1" in lines


def test_values_are_quoted() -> None:
    assert r'ft_boolean_syntax = "+ -><()~*:\\&|#"' in _rendered({"ft_boolean_syntax": r"+ -><()~*:\&|#"})


@given(st.text())
def test_a_value_is_one_line_or_refused(value: str) -> None:
    try:
        lines = _rendered({"init_connect": value})
    except DatastoreError:
        assert '"' in value or not value.isprintable()
    else:
        assert len([line for line in lines if line.startswith("init_connect")]) == 1


def test_a_line_is_no_longer_than_the_server_reads_at_once() -> None:
    assert len(_rendered({"init_connect": "é" * 1990})) == len(_rendered({"init_connect": ""}))
    with pytest.raises(DatastoreError):
        _rendered({"init_connect": "é" * 2000})


@pytest.mark.parametrize("other", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_line_feed_ends_a_line(other: str) -> None:
    """Whatever Python takes for the end of one: the server does not."""
    assert config.lines_of(f'a = "b{other}c = 1"\nd = 2\n') == [f'a = "b{other}c = 1"', "d = 2"]


@pytest.mark.parametrize("name", ["", "a b", "a=b", "[mariadbd]", "a\nb", "A", "-x", "#x", "!include"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(DatastoreError):
        _rendered({name: 1})


def test_server_ids() -> None:
    assert config.server_id("a") == config.server_id("a") != config.server_id("b")
    assert 0 < config.server_id("a") < 2**32
