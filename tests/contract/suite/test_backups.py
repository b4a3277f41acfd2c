# SPDX-License-Identifier: Apache-2.0
"""Full and incremental backups, and servers made of them, by the tasks that flows use."""

import concurrent.futures
import contextlib
import os
import pathlib
import secrets
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from guest.datastores.base import DatastoreError, UserSpec
from guest.streams.files import COMMANDS_LOG, SESSION
from guest.streams.job import StreamDied
from guest.tasks.backup import MakeBackup, RestoreBackup
from guest.volume import allocated
from tests.contract.kits import Kit
from tests.contract.site import SETTINGS, Site, new_site
from tests.objects.moody import Still
from tests.objects.vault import Vault, vault
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("objects")) as made:
        yield made


@pytest.fixture(scope="module")
def password(site: Site) -> str:
    """Of the user ``app``, who has the databases ``shop``, with enough in it for several segments, and ``depot``."""
    made = site.password()
    site.accounts.create_databases([site.kit.specs[0].__class__(name) for name in ("shop", "depot")])
    site.accounts.create_users([UserSpec("app", made, databases=("shop", "depot"))])
    site.kit.fill(site.machine, "app", made, "shop", 3)
    return made


def back_up(
    site: Site,
    store: Vault,
    name: str,
    parent: tuple[str, dict[str, Any]] | None = None,
    strategy: str = "physical",
) -> dict[str, Any]:
    task = MakeBackup("stream-backup")
    task.bind(site.datastore)
    upload = store.upload(name, parent_id=parent[0] if parent else None)
    answer: dict[str, Any] = task.execute("i", name, strategy, parent[1]["position"] if parent else None, upload)
    return answer


def restore(site: Site, download: dict[str, Any]) -> None:
    task = RestoreBackup("restore-backup")
    task.bind(site.datastore)
    task.execute("i", SETTINGS.ram, SETTINGS.vcpus, {}, download)


def test_a_chain_under_load(site: Site, kit: Kit, image: pathlib.Path, store: Vault, password: str) -> None:
    """A full backup and two differences while somebody writes; each restored server has what was there at its time."""
    with kit.writing(site.machine, "app", password, "shop") as load:
        made = {"full": back_up(site, store, "full")}
        low = load.wait_more()
        made["first"] = back_up(site, store, "first", ("full", made["full"]))
        load.wait_more()
        made["second"] = back_up(site, store, "second", ("first", made["first"]))
        high = load.written
    with new_site(kit, image) as other:
        restore(other, store.download(made))
        found = kit.written(other.machine, "app", password, "shop")
    assert low <= found.count <= high + 1
    assert found.consistent


def test_a_dump_under_load(site: Site, kit: Kit, image: pathlib.Path, store: Vault, password: str) -> None:
    """What it holds was there at one moment, too."""
    with kit.writing(site.machine, "app", password, "depot") as load:
        low = load.wait_more()
        made = {"dump": back_up(site, store, "dump", strategy="logical")}
        high = load.written
        load.wait_more()
    with new_site(kit, image) as other:
        restore(other, store.download(made, "logical"))
        found = kit.written(other.machine, "app", password, "depot")
    assert low <= found.count <= high + 1
    assert found.consistent


@pytest.mark.parametrize("strategy", ["physical", "logical"])
def test_no_copy_on_disk(site: Site, store: Vault, password: str, strategy: str) -> None:
    """All goes to the store as it is read: the machine's directories do not grow meanwhile."""
    base = site.machine.data_dir.parent
    site.datastore.lifecycle.restart(60.0)  # nothing is left to be written by the server
    before, sizes, over = allocated(base), list[int](), threading.Event()

    def watch() -> None:
        while not over.is_set():
            sizes.append(allocated(base))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        sent = back_up(site, store, f"streamed-{strategy}", strategy=strategy)["bytes"]
    finally:
        over.set()
        watcher.join()
    assert sent > 3 << 20
    assert len(sizes) > 10
    assert max(sizes) - before < 1 << 20


def test_a_difference_to_nothing_new_is_small(site: Site, store: Vault, password: str) -> None:
    # A checkpoint: what was not written to the tables' files yet would be part of the difference.
    site.datastore.lifecycle.restart(60.0)
    full = back_up(site, store, "base")
    difference = back_up(site, store, "nothing", ("base", full))
    assert difference["bytes"] < full["bytes"] / 2
    assert full["size"] > 0


def test_users_and_root_come_along(site: Site, kit: Kit, image: pathlib.Path, store: Vault, password: str) -> None:
    root = site.password()
    site.accounts.enable_root(root)
    made = {"rooted": back_up(site, store, "rooted")}
    site.accounts.disable_root()
    with new_site(kit, image) as other:
        restore(other, store.download(made))
        assert other.accounts.list_users() == site.accounts.list_users()
        assert other.accounts.root_enabled()
        assert kit.query(other.machine, "root", root, "SELECT 1") == [(1,)]
        # A server like any other from now on.
        other.datastore.lifecycle.restart(60.0)
        assert other.accounts.root_enabled()


def test_no_trace_of_data_or_password_in_the_store(site: Site, store: Vault, password: str, kit: Kit) -> None:
    kit.write_row(site.machine, "app", password, "shop", "a very plain secret")
    back_up(site, store, "plain")
    held = b"".join(path.read_bytes() for path in store.directory.rglob("*") if path.is_file())
    assert b"a very plain secret" not in held
    assert password.encode() not in held


@pytest.fixture
def damaged(site: Site, store: Vault, password: str) -> tuple[dict[str, Any], list[pathlib.Path]]:
    """(a download, the files of its segments), to be damaged."""
    name = f"victim-{secrets.token_hex(4)}"
    made = {name: back_up(site, store, name)}
    files = store.files(name)
    assert len(files) > 1
    return store.download(made), files


def refused(kit: Kit, image: pathlib.Path, download: dict[str, Any]) -> str:
    """Why a restore fails; nothing may run afterwards."""
    with new_site(kit, image) as other:
        with pytest.raises(DatastoreError) as caught:
            restore(other, download)
        assert other.process() is None
    return str(caught.value)


def test_a_changed_segment(damaged: tuple[dict[str, Any], list[pathlib.Path]], kit: Kit, image: pathlib.Path) -> None:
    download, files = damaged
    data = bytearray(files[1].read_bytes())
    data[len(data) // 2] ^= 1
    files[1].write_bytes(data)
    assert " is damaged: Segment 2 of" in refused(kit, image, download)


def test_a_missing_segment(damaged: tuple[dict[str, Any], list[pathlib.Path]], kit: Kit, image: pathlib.Path) -> None:
    download, files = damaged
    files[-2].unlink()  # after it comes the end
    last = len(files) - 1
    assert f"Segment {last} of {last} is missing" in refused(kit, image, download)


def test_segments_that_changed_places(
    damaged: tuple[dict[str, Any], list[pathlib.Path]], kit: Kit, image: pathlib.Path
) -> None:
    download, files = damaged
    first, second = (file.read_bytes() for file in files[:2])
    files[0].write_bytes(second)
    files[1].write_bytes(first)
    assert "Segment 1 of" in refused(kit, image, download)


def test_another_backups_key(
    damaged: tuple[dict[str, Any], list[pathlib.Path]], kit: Kit, image: pathlib.Path, store: Vault
) -> None:
    download, _ = damaged
    download["chain"][0]["backup_key"] = store.upload("other")["backup_key"]
    assert "can't be decrypted" in refused(kit, image, download)


def test_a_changed_manifest(damaged: tuple[dict[str, Any], list[pathlib.Path]], kit: Kit, image: pathlib.Path) -> None:
    download, files = damaged
    manifest = files[0].parent.parent / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"stream_size":', '"stream_size":1'))
    assert "not the one that was written" in refused(kit, image, download)


def test_an_expired_right(site: Site, store: Vault, password: str) -> None:
    upload = store.upload("late")
    upload["store"]["secrets"]["PUT"] = upload["store"]["secrets"]["PUT"].replace("expires=", "expires=1")
    task = MakeBackup("stream-backup")
    task.bind(site.datastore)
    with pytest.raises(DatastoreError, match="refuses \\(403\\)"):
        task.execute("i", "late", "physical", None, upload)
    task.revert("i", "late")


def kill_stream(site: Site, name: str, before: str = "") -> str:
    """The number of the process that was killed; ``before``: of the last one."""
    session = site.machine.run_dir / "streams" / name / SESSION
    log = session.with_name(COMMANDS_LOG)

    def begun() -> str:
        # Its directory is removed and made anew meanwhile.
        with contextlib.suppress(FileNotFoundError):
            found = session.read_text() if log.stat().st_size else ""
            return found if found != before else ""
        return ""

    leader = wait_for(begun, 60, "a stream")
    os.kill(int(leader), signal.SIGKILL)
    return leader


def test_a_killed_stream_is_begun_anew(
    site: Site, kit: Kit, image: pathlib.Path, tmp_path: pathlib.Path, password: str
) -> None:
    """Of a backup, which is then like any other."""
    killed = threading.Event()
    with (
        vault(tmp_path, moods=Still(lambda: not killed.is_set())) as slow,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        made = pool.submit(back_up, site, slow, "killed")
        try:
            kill_stream(site, "killed")
        finally:
            killed.set()
        answer = made.result(120)
        with new_site(kit, image) as other:
            restore(other, slow.download({"killed": answer}))
            assert other.accounts.list_users() == site.accounts.list_users()


def test_a_stream_that_is_killed_again_and_again(site: Site, tmp_path: pathlib.Path, password: str) -> None:
    over = threading.Event()
    with (
        vault(tmp_path, moods=Still(lambda: not over.is_set())) as slow,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        failed = pool.submit(back_up, site, slow, "doomed")
        try:
            leader = ""
            for _ in range(3):
                leader = kill_stream(site, "doomed", leader)
            with pytest.raises(StreamDied):
                failed.result(120)
        finally:
            over.set()


def test_a_restore_that_is_killed_is_begun_anew(
    site: Site, kit: Kit, image: pathlib.Path, tmp_path: pathlib.Path, password: str
) -> None:
    killed = threading.Event()
    moods = Still(lambda: made.done() and not killed.is_set())
    with (
        vault(tmp_path, moods=moods) as slow,
        concurrent.futures.ThreadPoolExecutor() as pool,
        new_site(kit, image) as other,
    ):
        made = pool.submit(back_up, site, slow, "good")
        download = slow.download({"good": made.result(120)})
        restored = pool.submit(restore, other, download)
        try:
            session = other.machine.run_dir / "streams" / "restore" / SESSION
            os.kill(int(wait_for(lambda: session.exists() and session.read_text(), 60, "a stream")), signal.SIGKILL)
        finally:
            killed.set()
        restored.result(120)
        assert other.accounts.list_users() == site.accounts.list_users()


def test_undoing_breaks_it_off(site: Site, store: Vault, password: str, kit: Kit) -> None:
    """While the store does not take anything."""
    upload = store.upload("stuck", patience=600.0)
    upload["store"]["url"] = "http://127.0.0.1:9/"
    task = MakeBackup("stream-backup")
    task.bind(site.datastore)
    failed: list[Exception] = []

    def work() -> None:
        try:
            task.execute("i", "stuck", "physical", None, upload)
        except DatastoreError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    log = site.machine.run_dir / "streams" / "stuck" / "worker.log"
    wait_for(lambda: log.exists() and "Retrying" in log.read_text(), 60, "a stream that tries again")
    task.interrupted.set()
    thread.join(30)
    assert [type(error).__name__ for error in failed] == ["Interrupted"]
    again = MakeBackup("stream-backup")
    again.bind(site.datastore)
    again.revert("i", "stuck")
    assert not (site.machine.run_dir / "streams" / "stuck").exists()
