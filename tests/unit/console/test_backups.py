# SPDX-License-Identifier: Apache-2.0
"""The page of backups."""

import datetime
import html
import re
from collections.abc import Iterator

import pytest

from dbflow.db.models import Backup, Instance, Operation, new_id, utcnow
from dbflow.operations import State
from dbflow.status import BackupState
from tests.unit.console.scene import NASTY, Browser, Scene, Step
from tests.unit.console.test_pages import words

GIB = 2**30


class Kept:
    """The backups of a scene, by what they are."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.instance = scene.healthy
        self.full = self.add("monday", BackupState.COMPLETED, hours=5, size=2.0, stored=GIB // 2, seconds=100)
        self.first = self.add("tuesday", BackupState.COMPLETED, hours=4, parent_id=self.full, size=2.0, seconds=10)
        self.second = self.add("wednesday", BackupState.COMPLETED, hours=3, parent_id=self.first, size=2.0)
        self.failed = self.add(NASTY, BackupState.FAILED, hours=2, error=f"no room for {NASTY}")
        answer = scene.world.ask("POST", "backups", json={"backup": {"name": "now", "instance": scene.healthy}})
        self.running = answer.json["backup"]["id"]
        with scene.world.database.write() as session:
            session.get_one(Backup, self.running).state = BackupState.BUILDING
            self.operation = session.get_one(Backup, self.running).operation_id or ""
        steps = {"open-upload": Step("SUCCESS", 0.1, 0.2, 1.0), "stream-backup": Step("RUNNING", 0.3, None, 0.4)}
        scene.flow(self.operation, steps, State.RUNNING)
        self.foreign = self.add("theirs", BackupState.COMPLETED, hours=1, project_id="p2", instance_id=scene.foreign)

    def add(self, name: str, state: BackupState, *, hours: int, seconds: int = 0, **columns: object) -> str:
        """One that was made so long ago; ``seconds``: how long that took."""
        at = utcnow() - datetime.timedelta(hours=hours)
        with self.scene.world.database.write() as session:
            backup = Backup(
                id=new_id(),
                name=name,
                user_id="u1",
                state=state,
                strategy="physical",
                datastore_version_id=self.scene.world.version_id,
                container="c",
                prefix="x/",
                created=at,
                **{"project_id": "p1", "instance_id": self.instance, **columns},
            )
            if seconds:
                operation = Operation(
                    kind="backup.create",
                    version=1,
                    target_type="instance",
                    target_id=self.instance,
                    project_id="p1",
                    user_id="u1",
                    priority="NORMAL",
                    arguments="",
                    state=State.SUCCESS,
                    started=at,
                    finished=at + datetime.timedelta(seconds=seconds),
                )
                session.add(operation)
                session.flush()
                backup.made_by = operation.id
            session.add(backup)
            return backup.id


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """No test changes it."""
    made = Scene(tmp_path_factory.mktemp("kept"))
    yield Kept(made)
    made.world.database.close()


def listed(browser: Browser, query: str = "") -> list[str]:
    return re.findall(r'id="backup-([0-9a-f-]{36})"', browser.get(f"/backups{query}").text)


def line(page: str, backup_id: str) -> str:
    """The text of a row."""
    return words(page.partition(f'id="backup-{backup_id}"')[2].partition("</tr>")[0])


def test_filters(kept: Kept) -> None:
    browser = kept.scene.browser()
    mine = [kept.running, kept.failed, kept.second, kept.first, kept.full]
    assert listed(browser) == mine
    assert listed(kept.scene.browser("admin")) == [kept.running, kept.foreign, *mine[1:]]
    assert listed(kept.scene.browser("admin"), "?project=p2") == [kept.foreign]
    assert listed(browser, "?project=p2") == mine
    assert listed(browser, "?state=FAILED") == [kept.failed]
    assert listed(browser, f"?instance={kept.instance}") == mine
    assert listed(browser, "?instance=script") == mine
    assert listed(browser, "?instance=sessions") == []
    assert listed(browser, "?text=tues") == [kept.first]
    assert listed(browser, "?text=no+room") == [kept.failed]
    assert listed(browser, "?text=%25") == []
    assert listed(browser, f"?chain={kept.first}") == [kept.second, kept.first, kept.full]
    assert listed(browser, f"?chain={kept.foreign}") == listed(browser, f"?chain={new_id()}") == []
    assert listed(browser, "?within=1h") == [kept.running]
    assert listed(browser, "?until=2000-01-01T00:00:00Z") == []
    for bad in ("state=x", "since=yesterday", "within=1y", "marker=x", f"marker={kept.foreign}", f"text={'x' * 300}"):
        browser.get(f"/backups?{bad}", 400)


def test_counts_by_state(kept: Kept) -> None:
    text = words(kept.scene.browser().get("/backups?state=FAILED").text)
    for chip in ("all 5", "completed 3", "failed 1", "building 1", "saving 0"):
        assert chip in text


def test_paging(kept: Kept) -> None:
    conf = kept.scene.world.conf
    conf.set_override("page_size", 2, "console")
    browser, seen, query = kept.scene.browser(), [], ""
    while True:
        seen += listed(browser, query)
        found = re.search(r'rel="next" href="/console/backups([^"]+)"', browser.get(f"/backups{query}").text)
        if not found:
            break
        query = html.unescape(found[1])
    conf.clear_override("page_size", "console")
    assert seen == listed(browser)


def test_what_a_line_says(kept: Kept) -> None:
    page = kept.scene.browser().get("/backups").text
    full = line(page, kept.full)
    for said in ("completed", "monday", "full", "2 GiB", "0.5 GiB", "1 min 40 s", "21 MB/s"):
        assert said in full
    second = line(page, kept.second)
    assert "incremental to" in second
    # The nearest first.
    assert second.index(kept.first[:8]) < second.index(kept.full[:8])
    running = line(page, kept.running)
    assert "building" in running
    assert "40 %" in running
    assert re.search(r"\d MB/s", running)
    assert kept.operation[:8] in running
    failed = line(page, kept.failed)
    assert f"no room for {html.escape(NASTY)}".replace("&#34;", '"')[:20] in failed
    assert NASTY not in page


def test_why_one_can_not_be_deleted_is_said_in_the_words_of_the_api(kept: Kept) -> None:
    page = kept.scene.browser().get("/backups").text
    assert (
        "Can't be deleted: it is being made" in page.partition(f'id="backup-{kept.running}"')[2].partition("</tr>")[0]
    )
    refused = kept.scene.world.ask("DELETE", f"backups/{kept.running}")
    assert refused.status_code == 422
    assert f"Backup {kept.running} can't be deleted: it is being made." in refused.text


def test_what_is_being_restored_stays_with_all_before_it(scene: Scene) -> None:
    kept = Kept(scene)
    with scene.world.database.write() as session:
        session.get_one(Instance, scene.building).restoring_id = kept.second
    page = scene.browser().get("/backups").text
    why = f"instance {scene.building} is being made from it"
    assert f"Can't be deleted: {why}" in page
    assert page.count(f"Can't be deleted: of backup {kept.second}, a difference to it: {why}") == 2
    assert why in scene.world.ask("DELETE", f"backups/{kept.full}").text


def test_deleting_a_selection(scene: Scene) -> None:
    kept = Kept(scene)
    browser = scene.browser()
    browser.post("/backups/delete", 400, "/backups")
    answer = browser.post("/backups/delete", 200, "/backups", id=[kept.first, kept.running, kept.foreign])
    text = words(answer.text)
    assert "Delete: 1 of 3 done" in text
    assert "it is being made" in html.unescape(text)
    assert f"Backup {kept.foreign} cannot be found." in text
    page = browser.get("/backups").text
    assert "deleting" in line(page, kept.first)
    assert "deleting" in line(page, kept.second)
    assert "deleting" not in line(page, kept.full)
    assert "Delete: 0 of 1 done" in words(browser.post("/backups/delete", 409, "/backups", id=kept.running).text)


def test_who_may_only_read_is_offered_nothing(kept: Kept) -> None:
    browser = kept.scene.browser("reader")
    page = browser.get("/backups").text
    assert "/backups/delete" not in page
    assert 'type="checkbox"' not in page
    browser.post("/backups/delete", 403, "/", id=kept.full)


def test_elsewhere(kept: Kept) -> None:
    browser = kept.scene.browser()
    assert "1 backup failed" in words(browser.get("/").text)
    assert f'href="/console/backups?instance={kept.instance}"' in browser.get(f"/instances/{kept.instance}").text
