# SPDX-License-Identifier: Apache-2.0
"""dbflow-manage flow: a flow in the terminal while it runs."""

import io
import json
import sys
import threading
from typing import Any
from xml.etree import ElementTree

import pytest

from dbflow.cmd.manage.watch import fitted
from dbflow.operations import State, catalog
from tests.unit.manage.conftest import Deployment
from tests.waiting import wait_for


def test_list_names_every_kind(deployment: Deployment) -> None:
    kinds = [row["kind"] for row in deployment.answer("flow", "list")]
    assert kinds == [kind.name for kind in catalog().kinds()]
    assert "instance.create" in kinds


def test_show_a_kind(deployment: Deployment) -> None:
    assert deployment.run("flow", "show", "instance.create") == 0
    printed = deployment.capsys.readouterr().out
    assert printed.startswith("instance.create v")
    assert "Create port" in printed
    graph = deployment.answer("flow", "show", "instance.create")
    assert graph["kind"] == "instance.create"
    assert deployment.run("flow", "show", "instance.create", "--watch") == 1


def test_show_an_operation(deployment: Deployment) -> None:
    operation = deployment.operation()
    deployment.step(operation, "create-port", "RUNNING", progress=0.5, attempt=2, started="2026-01-01T00:00:00")
    assert deployment.run("flow", "show", operation.id, "--ascii") == 0
    printed = deployment.capsys.readouterr().out
    assert "running #2       #####.....  50%" in printed
    assert f"operation {operation.id}: RUNNING on host:1:ab" in printed
    assert deployment.answer("flow", "show", operation.id)["steps"]["create-port"]["attempt"] == 2


def test_dot_and_svg(deployment: Deployment) -> None:
    operation = deployment.operation()
    deployment.step(operation, "create-port", "SUCCESS", attempt=1)
    for what, word in ((operation.id, "done"), ("instance.create", "conductor")):
        assert deployment.run("flow", "svg", what) == 0
        svg = deployment.capsys.readouterr().out
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert word in svg
    assert deployment.run("flow", "dot", operation.id) == 0
    assert "✔ done" in deployment.capsys.readouterr().out


class Watched:
    """``flow show --watch`` in a thread, its output as it comes."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
        class Screen(io.StringIO):
            def isatty(self) -> bool:
                return terminal

        self.screen = Screen()
        monkeypatch.setattr(sys, "stdout", self.screen)
        self._deployment = deployment
        self.status: int | None = None

    def start(self, what: str) -> None:
        self._thread = threading.Thread(target=self._run, args=[what], daemon=True)
        self._thread.start()

    def _run(self, what: str) -> None:
        self.status = self._deployment.run("flow", "show", "--watch", what)

    def until(self, text: str) -> None:
        wait_for(lambda: text in self.screen.getvalue(), 10, f"{text!r} on the screen")

    def end(self) -> int | None:
        self._thread.join(10)
        return self.status


def test_watch_without_a_terminal_tells_each_change(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = deployment.operation()
    watched = Watched(deployment, monkeypatch, terminal=False)
    watched.start(operation.id)
    watched.until("RUNNING on host:1:ab")
    deployment.step(operation, "create-port", "RUNNING", progress=0.5, attempt=1)
    watched.until("50%")
    deployment.step(operation, "create-port", "SUCCESS", progress=1.0, attempt=1)
    watched.until("Create port: done")
    deployment.end(operation, State.SUCCESS)
    assert watched.end() == 0
    assert watched.screen.getvalue().splitlines() == [
        f"operation {operation.id}: RUNNING on host:1:ab",
        "▶ Create port: running 50%",
        "✔ Create port: done",
        f"operation {operation.id}: SUCCESS",
    ]


@pytest.mark.parametrize("state", [State.REVERTED, State.FAILED])
def test_watch_fails_when_the_operation_does(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    operation = deployment.operation()
    watched = Watched(deployment, monkeypatch, terminal=False)
    watched.start(operation.target_id)
    watched.until("RUNNING")
    deployment.end(operation, state, error="The volume is full.")
    assert watched.end() == 1
    assert "The volume is full." in watched.screen.getvalue()


def test_watch_on_a_terminal_redraws_in_place(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "60")
    operation = deployment.operation()
    watched = Watched(deployment, monkeypatch, terminal=True)
    watched.start(operation.id)
    watched.until("RUNNING on host:1:ab")
    deployment.step(operation, "create-port", "RUNNING", progress=0.5, attempt=1)
    watched.until("█████░░░░░")
    deployment.end(operation, State.SUCCESS)
    assert watched.end() == 0
    first, *later = watched.screen.getvalue().split("\x1b[J")[1:]
    height = first.count("\n") if not later else first.rpartition("\x1b")[0].count("\n")
    assert later
    assert f"\x1b[{height}F" in watched.screen.getvalue()


def test_fitting_a_long_flow_keeps_what_is_running_in_sight() -> None:
    body: list[str] = [f"✔ step {i}" for i in range(100)]
    body[60] = "▶ step 60"
    lines = fitted(["title", "summary", *body], 24)
    assert len(lines) == 24
    assert lines[:2] == ["title", "summary"]
    assert "▶ step 60" in lines
    assert lines[2] == "… 50 lines above, 29 below"
    assert fitted(["a", "b", "c"], 24) == ["a", "b", "c"]


def test_json_of_a_definition_is_the_registrys(deployment: Deployment) -> None:
    graph: dict[str, Any] = json.loads(json.dumps(catalog().graph("instance.create", catalog().kind("instance.create").version, None)))
    assert deployment.answer("flow", "show", "instance.create") == graph
