# SPDX-License-Identifier: Apache-2.0
"""At its end mariadb-backup lets nobody commit; an object store that is slow, or dead, must not make that long."""

import pathlib
import threading

import pytest

from guest.datastores.base import DatabaseSpec, DatastoreError, UserSpec
from guest.tasks.backup import MakeBackup, RestoreBackup
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.site import SETTINGS, Site, new_site
from tests.objects.moody import Still
from tests.objects.vault import Vault, vault

BEGUN, ENDED = "Acquired locks for BACKUP STAGE BLOCK_COMMIT", "All tables unlocked"


@pytest.fixture(scope="module")
def root(site: Site) -> str:
    """Its password."""
    made = site.password()
    site.accounts.enable_root(made)
    return made


def keep_statistics(site: Site, kit: MariaDBKit, root: str, name: str, size: int) -> None:
    """Put so many MiB, which no compression makes smaller, into a table that is copied while nobody may commit."""
    mib = f"concat({', '.join(['random_bytes(1024)'] * 1024)})"
    for number in range(size):
        values = f"('{name}', 't', '{number}', {mib})"
        kit.query(
            site.machine,
            "root",
            root,
            f"INSERT INTO mysql.column_stats (db_name, table_name, column_name, histogram) VALUES {values}",
        )


def new_database(site: Site, name: str) -> str:
    """A password of the user of that name, who has it."""
    password = site.password()
    site.accounts.create_databases([DatabaseSpec(name)])
    site.accounts.create_users([UserSpec(name, password, databases=(name,))])
    return password


def said(site: Site, name: str) -> str:
    """By the program that makes the backup, so far."""
    return (site.machine.run_dir / "streams" / name / "commands.log").read_text(errors="replace")


def back_up(site: Site, store: Vault, name: str) -> dict[str, object]:
    task = MakeBackup("stream-backup")
    task.bind(site.datastore)
    answer: dict[str, object] = task.execute("i", name, "physical", None, store.upload(name, patience=600.0))
    return answer


def test_a_slow_store(site: Site, kit: MariaDBKit, image: pathlib.Path, tmp_path: pathlib.Path, root: str) -> None:
    """It takes nothing from the moment when nobody may commit until they may again."""
    password = new_database(site, "slow")
    keep_statistics(site, kit, root, "slow", 16)

    def held() -> bool:
        words = said(site, "slow")
        return BEGUN in words and ENDED not in words

    with vault(tmp_path, moods=Still(held)) as store:
        with kit.writing(site.machine, "slow", password, "slow") as load:
            load.wait_more()
            made = back_up(site, store, "slow")
            low = load.wait_more()
        assert load.longest() < 5.0
        with new_site(kit, image) as other:
            task = RestoreBackup("restore-backup")
            task.bind(other.datastore)
            task.execute("i", SETTINGS.ram, SETTINGS.vcpus, {}, store.download({"slow": made}))
            found = kit.written(other.machine, "slow", password, "slow")
    assert 0 < found.count <= low
    assert found.consistent


def test_a_store_that_never_comes_back(site: Site, kit: MariaDBKit, tmp_path: pathlib.Path, root: str) -> None:
    """There is a little more left than there is room for."""
    password = new_database(site, "dead")
    keep_statistics(site, kit, root, "dead", 22)
    over = threading.Event()
    with vault(tmp_path, moods=Still(lambda: BEGUN in said(site, "dead") and not over.is_set())) as store:
        try:
            with kit.writing(site.machine, "dead", password, "dead") as load:
                load.wait_more()
                with pytest.raises(DatastoreError, match="too slow for the end of a backup"):
                    back_up(site, store, "dead")
                load.wait_more()
        finally:
            over.set()
    assert load.longest() < 5.0
    assert ENDED not in said(site, "dead")
