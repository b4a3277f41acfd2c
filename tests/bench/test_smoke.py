# SPDX-License-Identifier: Apache-2.0
"""Each benchmark runs through and ends with its line of JSON; only what we hold ourselves to, and reach by far, is
timed."""

import json
from typing import Any

import pytest

from tests.bench.__main__ import main


def figures(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main(list(arguments))
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["bench"] == arguments[0]
    return found


def test_create(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "create", "--runs", "1")
    assert found["ratio"] == pytest.approx(found["create_s"] / found["by_hand_s"], rel=0.01)


def test_steps(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(
        capsys, "steps", "--rounds", "1", "--flows", "1", "--at-once", "1", "--databases", "sqlite", "mariadb"
    )
    assert found["steps_per_s_sqlite_1"] > 0
    assert found["ratio_stock"] > 0


def test_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    small = "--requests 3 --conductors 1 --crowd 30 --urgent 2 --idle 1"
    found = figures(capsys, "jobs", *small.split())
    positive = ("posts_per_s_1", "floor_p50_ms", "first_step_p50_ms", "crowded_p50_ms", "urgent_p50_ms")
    assert min(found[name] for name in positive) > 0


def test_guests(capsys: pytest.CaptureFixture[str]) -> None:
    small = "--guests 5 --seconds 2 --interval 0.5 --calls 3"
    found = figures(capsys, "guests", *small.split())
    for broker in ("rabbitmq", "embedded"):
        assert min(found[f"{what}_p50_ms_{broker}"] for what in ("bare", "task")) > 0
    assert found["sql_writes_per_s"] > 0


def test_flows(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "flows", "--in-flight", "20")
    assert found["waiting"] == found["ended"] == 20
    assert found["resident_mib"] < 1024


def test_api(capsys: pytest.CaptureFixture[str]) -> None:
    small = "--databases SQLite --seconds 0.5 --clients 1 --workers 1 --instances 30 60"
    found = figures(capsys, "api", *small.split())
    assert found["list_statements"] <= 3
    assert min(found[name] for name in ("list_rps", "show_rps", "post_rps", "list_p99_ms", "post_p99_ms")) > 0


def test_backup(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "backup", "--size", "8", "--runs", "1")
    assert min(found[name] for name in ("ratio", "restore_ratio", "backup_mb_s", "restore_mb_s")) > 0
    assert 0 < found["guest_mib"] < 150


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    small = "--operations 100 --viewers 3 --changes 2 --requests 2"
    found = figures(capsys, "console", *small.split())
    assert found["events"] == 6
    assert min(found[name] for name in ("page_p50_ms", "delay_p99_s", "layout_600_ms")) > 0


def test_availability(capsys: pytest.CaptureFixture[str]) -> None:
    small = "--times 1 --replicas 1 --seconds 0.3 --data 1"
    found = figures(capsys, "availability", *small.split())
    for operation in ("restart", "resize_flavor", "resize_volume", "backup", "replicate", "promote", "eject"):
        assert found[f"{operation}_lost"] == 0
        assert min(found[f"{operation}_{what}"] for what in ("s", "gap_s", "read_gap_s")) > 0
    assert found["promote_gap_s"] < 5
