# SPDX-License-Identifier: Apache-2.0
"""Prepared data directories of the local cloud, built by a stand-in for ``python -m guest.image``."""

import os
import pathlib
import signal

import pytest

from dbflow.cloud.base import CloudError
from dbflow.cloud.local.layout import Layout
from dbflow.cloud.local.locks import Locks
from dbflow.cloud.local.owner import find_owner
from dbflow.cloud.local.prepared import Prepared
from dbflow.cloud.local.processes import Processes
from tests.unit.cloud import forked
from tests.unit.cloud.conftest import leftovers
from tests.waiting import wait_for

BUILDER = 'echo "$0 $2" >> "{log}"; mkdir "$1"; echo rows > "$1/table"'


def images(state_dir: pathlib.Path, script: str, timeout: float = 20.0) -> Prepared:
    """Whose builder is a shell script: $0 manager, $1 target."""
    layout = Layout(str(state_dir), str(state_dir / "images"), find_owner(forked.NOBODY))
    processes = Processes(str(layout.root))
    return Prepared(layout, Locks(layout.locks, 20.0), processes, timeout, ["/bin/sh", "-ec", script])


def test_built_once(state_dir: pathlib.Path, open_tmp: pathlib.Path) -> None:
    log = open_tmp / "log"
    store = images(state_dir, BUILDER.format(log=log))
    assert store.path("mariadb") is None
    built = store.build("mariadb")
    assert store.build("mariadb") == built == store.path("mariadb")
    assert (built / "table").read_text() == "rows\n"
    assert log.read_text().split() == (["mariadb", "--run-as"] if os.geteuid() == 0 else ["mariadb"])
    assert leftovers(state_dir) == [str(built), str(built / "table")]


def test_racing_builders_build_once(state_dir: pathlib.Path, open_tmp: pathlib.Path) -> None:
    log = open_tmp / "log"
    stores = [images(state_dir, BUILDER.format(log=log)) for _ in range(4)]
    racers = [forked.start(lambda s=store: s.build("mariadb")) for store in stores]
    assert [forked.join(pid) for pid in racers] == [0] * 4
    assert len(log.read_text().splitlines()) == 1


def test_a_failure_gives_the_reason_and_leaves_nothing(state_dir: pathlib.Path) -> None:
    store = images(state_dir, 'mkdir "$1"; echo no engine here >&2; exit 3')
    with pytest.raises(CloudError, match="Image of mariadb could not be built: no engine here"):
        store.build("mariadb")
    assert store.path("mariadb") is None
    assert leftovers(state_dir) == []


def test_a_builder_that_hangs_is_ended(state_dir: pathlib.Path) -> None:
    store = images(state_dir, 'mkdir "$1"; setsid sleep 600 & sleep 600', timeout=0.5)
    with pytest.raises(CloudError, match=r"not built within 0\.5 s"):
        store.build("mariadb")
    assert list(store._processes.all()) == []
    assert leftovers(state_dir) == []


def test_a_builder_that_lost_its_conductor_is_ended(state_dir: pathlib.Path, open_tmp: pathlib.Path) -> None:
    slow = images(state_dir, 'mkdir "$1"; touch "$1/half"; sleep 600')
    conductor = forked.start(lambda: slow.build("mariadb"))
    wait_for(lambda: list(state_dir.glob("images/.mariadb/image/half")), 10, "the builder to be half done")
    os.kill(conductor, signal.SIGKILL)
    forked.join(conductor)
    assert slow.path("mariadb") is None
    built = images(state_dir, BUILDER.format(log=open_tmp / "log")).build("mariadb")
    assert sorted(path.name for path in built.iterdir()) == ["table"]
    assert list(slow._processes.all()) == []


def test_killed_at_any_moment_and_built_again(state_dir: pathlib.Path, open_tmp: pathlib.Path) -> None:
    moment, killed = 0, True
    while killed:
        directory = open_tmp / f"cloud{moment}"
        store = images(directory, BUILDER.format(log=open_tmp / "log"))
        killed = forked.killed_at(moment, lambda s=store: s.build("mariadb"))
        built = store.build("mariadb")
        assert leftovers(directory) == [str(built), str(built / "table")]
        moment += 1
    assert moment > 5
