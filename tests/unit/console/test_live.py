# SPDX-License-Identifier: Apache-2.0
"""Pages that follow what happens: what is sent, to whom, and how often the database is asked."""

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from dbflow.console.live import Fragments
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
