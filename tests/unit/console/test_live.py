# SPDX-License-Identifier: Apache-2.0
"""Pages that follow what happens: what is sent, to whom, and how often the database is asked."""

import contextlib
import dataclasses
import itertools
import json
import logging
import pathlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from dbflow import console
from dbflow.console.live import Fragments
from dbflow.console.pages import PAGES, operations
from dbflow.db.models import new_id, utcnow
from dbflow.jobboard import JobView
from dbflow.operations import State
from tests.unit.console.scene import Browser, Scene
from tests.waiting import wait_for


@contextlib.contextmanager
def following(browser: Browser, path: str) -> Iterator[tuple[TestResponse, Iterator[tuple[str, Any]]]]:
    """The stream of a page: its answer, and its events."""
    answer = browser.get(path, headers={"Accept": "text/event-stream"}, buffered=False)
    try:
        yield answer, _events(answer)
    finally:
        answer.close()


def _events(answer: TestResponse) -> Iterator[tuple[str, Any]]:
    for chunk in answer.iter_encoded():
        if not chunk.startswith(b":"):
            kind, data = chunk.decode().strip().split("\n")
            yield kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def _names(chunk: bytes) -> list[bytes]:
    return re.findall(rb"live-\w+", chunk)


def until(events: Iterator[tuple[str, Any]], part: str, text: str) -> str:
    """The first fragment of a part that has a text."""
    return next(
        event["html"] for kind, event in events if kind == "part" and event["id"] == part and text in event["html"]
    )


def test_a_change_is_sent(scene: Scene) -> None:
    with following(scene.browser(), f"/operations/{scene.create}") as (answer, events):
        assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")
        until(events, "live-body", 'data-node="install-datastore" data-state="RUNNING"')
        scene.step(scene.create, "install-datastore", "SUCCESS")
        until(events, "live-body", 'data-node="install-datastore" data-state="SUCCESS"')
        scene.world.finish(scene.building)
        assert "success" in until(events, "live-head", "success")


def test_what_has_not_changed_is_not_sent_again(scene: Scene) -> None:
    scene.world.conf.set_override("event_heartbeat", 0.2, "api")
    answer = scene.browser("admin").get("/operations", headers={"Accept": "text/event-stream"}, buffered=False)
    chunks = answer.iter_encoded()
    first = list(itertools.islice((chunk for chunk in chunks if chunk.startswith(b"event")), 2))
    assert {b"live-counts", b"live-table"} == {name for chunk in first for name in _names(chunk)}
    assert all(next(chunks).startswith(b":") for _ in range(3))
    answer.close()


@pytest.mark.parametrize("path", ["/", "/operations", "/instances", "/jobs", "/conductors", "/guests"])
def test_every_page_is_live_and_its_fragments_are_those_of_the_page(scene: Scene, path: str) -> None:
    browser = scene.browser("admin")
    page = browser.get(path).text
    with following(browser, path) as (_, events):
        kind, event = next(events)
    assert kind == "part"
    assert f'id="{event["id"]}"' in page
    assert "csrf" not in event["html"]


def test_many_viewers_one_look(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight viewers of one page, of three users with the same rights: one key."""
    keys: list[int] = []
    look = Fragments.look

    def counting(self: Fragments, asked: Any) -> Any:
        keys.append(len(asked))
        return look(self, asked)

    monkeypatch.setattr(Fragments, "look", counting)
    browsers = [scene.browser(token) for token in ("owner", "legacy")] * 4
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(following(one, f"/operations/{scene.create}"))[1] for one in browsers]
        for events in streams:
            until(events, "live-body", "data-node")
        scene.step(scene.create, "install-datastore", "SUCCESS")
        for events in streams:
            until(events, "live-body", 'data-node="install-datastore" data-state="SUCCESS"')
    assert set(keys) == {1}


def test_other_rights_another_fragment(scene: Scene) -> None:
    with (
        following(scene.browser("reader"), f"/operations/{scene.create}") as (_, readers),
        following(scene.browser("admin"), f"/operations/{scene.create}") as (_, admins),
    ):
        assert "Epoch" not in until(readers, "live-head", "your role may only look")
        until(admins, "live-head", "Epoch")


def test_streams_are_refused_as_pages_are(scene: Scene) -> None:
    accept = {"Accept": "text/event-stream"}
    scene.browser("other").get(f"/operations/{scene.create}", 404, headers=accept)
    scene.browser().get("/jobs", 403, headers=accept)
    assert scene.world.app.test_client().get("/console/operations", headers=accept).status_code == 401


def test_seats_are_limited_and_given_back(scene: Scene) -> None:
    live = scene.world.app.extensions["dbflow.console"].live
    live._seats.most = 1
    browser = scene.browser()
    accept = {"Accept": "text/event-stream"}
    with following(browser, "/operations"):
        browser.get("/operations", 413, headers=accept)
        assert scene.world.ask("GET", f"operations/{scene.create}/events").status_code == 413
    browser.get("/operations", headers=accept, buffered=False).close()
    threads = lambda: [thread for thread in threading.enumerate() if thread.name == Fragments.name]  # noqa: E731
    wait_for(lambda: not threads(), 10, "the end of the watcher")


def test_a_stream_ends_so_that_the_token_is_shown_again(scene: Scene) -> None:
    scene.world.conf.set_override("stream_lifetime", 1.0, "console")
    answer = scene.browser().get("/operations", headers={"Accept": "text/event-stream"}, buffered=False)
    assert len(list(answer.iter_encoded())) < 10
    answer.close()


def test_what_is_gone_ends(scene: Scene) -> None:
    with following(scene.browser(), f"/instances/{scene.healthy}") as (_, events):
        next(events)
        with scene.world.database.write() as session:
            session.merge(scene.world.instance(scene.healthy)).deleted = True
        assert [kind for kind, _ in events][-1] == "end"


def _becomes(scene: Scene, operation_id: str, state: State) -> None:
    with scene.world.database.write() as session:
        session.merge(scene.world.operation(operation_id)).state = state


def test_what_is_over_holds_no_connection(scene: Scene) -> None:
    """One that failed can be tried again, so its page goes on."""
    _becomes(scene, scene.create, State.SUCCESS)
    with following(scene.browser(), f"/operations/{scene.create}") as (_, events):
        told = list(events)
    assert [event["id"] for kind, event in told if kind == "part"] == ["live-head", "live-body"]
    assert told[-1] == ("end", {"over": True})
    with following(scene.browser(), f"/operations/{scene.failed}") as (_, events):
        next(events)
        next(events)
        _becomes(scene, scene.failed, State.RUNNING)
        assert "running" in until(events, "live-head", "running")


def test_a_page_that_breaks_does_not_stop_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = threading.Event()
    real, rounds = operations.PAGE.look, threading.Semaphore(0)

    def look(services: Any, asked: Any) -> dict[str, Any]:
        if broken.is_set():
            rounds.release()
            raise ZeroDivisionError
        return real(services, asked)

    page = dataclasses.replace(operations.PAGE, look=look)
    fragments: Fragments = scene.world.app.extensions["dbflow.console"].live
    keys = []
    watch = fragments.watch
    monkeypatch.setattr(
        fragments,
        "watch",
        lambda key, *more: keys.append(dataclasses.replace(key, page=page)) or watch(keys[-1], *more),
    )
    browser = scene.browser()
    with following(browser, "/operations") as (_, table):
        monkeypatch.setattr(fragments, "watch", watch)
        until(table, "live-table", scene.create)
        broken.set()
        with caplog.at_level(logging.ERROR), following(browser, f"/operations/{scene.create}") as (_, events):
            until(events, "live-body", 'data-node="install-datastore" data-state="RUNNING"')
            for _ in range(3):
                assert rounds.acquire(timeout=10)
            scene.step(scene.create, "install-datastore", "SUCCESS")
            until(events, "live-body", 'data-node="install-datastore" data-state="SUCCESS"')
        assert len([one for one in caplog.records if "can't be made" in one.message]) == 1
        broken.clear()
        _becomes(scene, scene.create, State.SUSPENDED)
        until(table, "live-table", "suspended")


def test_arguments_that_a_page_does_not_know_make_no_other_page(scene: Scene) -> None:
    fragments = scene.world.app.extensions["dbflow.console"].live
    with following(scene.browser(), "/operations?x=1"), following(scene.browser(), "/operations?x=2&y="):
        assert len({key for key, _ in fragments._viewers.values()}) == 1


def test_pages_name_all_their_arguments() -> None:
    here = pathlib.Path(console.__file__).parent
    used = {
        name
        for file in [*here.glob("pages/*.py"), *here.glob("templates/console/*.html")]
        for name in re.findall(r'asked\.(?:arg|time)\("(\w+)"', file.read_text())
    }
    assert used == set().union(*(page.args for page in PAGES))


def test_one_user_does_not_take_all_seats_and_pages_leave_some(scene: Scene) -> None:
    fragments = scene.world.app.extensions["dbflow.console"].live
    fragments._seats.most = 8
    accept = {"Accept": "text/event-stream"}
    events = f"operations/{scene.create}/events"
    with contextlib.ExitStack() as stack:
        browsers = [scene.browser(token) for token in ("owner", "reader", "legacy")]
        for browser in browsers:
            for _ in range(2):
                stack.enter_context(following(browser, "/operations"))
        assert scene.world.ask("GET", events).status_code == 413
        admin = scene.browser("admin")
        admin.get("/operations", 413, headers=accept)
        for _ in range(2):
            stream = scene.world.ask("GET", events, "admin", buffered=False)
            stack.callback(stream.close)
            assert stream.status_code == 200
        assert scene.world.ask("GET", events, "admin").status_code == 413
    admin.get("/operations", headers=accept, buffered=False).close()
    assert fragments._seats._taken == {}


def test_a_thread_that_does_not_start_takes_no_seat(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    fragments = scene.world.app.extensions["dbflow.console"].live
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _no_thread)
        with pytest.raises(RuntimeError):
            fragments.watch("key", 1.0, "u")
    assert (fragments._viewers, fragments._seats._taken, fragments._thread) == ({}, {}, None)
    with following(scene.browser(), "/operations") as (_, events):
        next(events)


def _no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_the_board_is_shown_as_far_as_a_page_goes(scene: Scene) -> None:
    scene.world.conf.set_override("page_size", 2, "console")
    now = utcnow()
    scene.world.jobs = [JobView(new_id(), "instance.create", "NORMAL", now, None) for _ in range(5)]
    page = scene.browser("admin").get("/jobs?show=leaving").text
    assert [job.operation_id in page for job in scene.world.jobs] == [True, True, False, False, False]
    assert "… and 3 more" in page
