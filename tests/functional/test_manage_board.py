# SPDX-License-Identifier: Apache-2.0
"""dbflow-manage job list on a real ZooKeeper."""

import json
import pathlib

import pytest
from oslo_config import cfg

from dbflow.cmd.manage import main
from dbflow.conf import register
from dbflow.crypto import Keyring
from dbflow.db import migrate
from dbflow.db.models import Operation
from dbflow.db.session import Database
from dbflow.jobboard import Boards
from tests.waiting import wait_for


def test_jobs_and_who_holds_them(
    tmp_path: pathlib.Path, zookeeper_hosts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts, _, corner = zookeeper_hosts.partition("/")
    url = f"sqlite:///{tmp_path}/x.sqlite"
    (tmp_path / "dbflow.conf").write_text(
        f"[database]\nconnection = {url}\n[coordination]\nhosts = {hosts}\nroot = /{corner}\n"
    )
    migrate.upgrade(url)
    database, seal = Database(url), Keyring([b"A" * 43 + b"="]).seal
    with database.write() as session:
        rows = [
            Operation(
                kind="instance.create", version=1, target_type="instance", target_id="i", project_id="p", user_id="u",
                arguments=seal({}), priority=priority,
            )
            for priority in ("NORMAL", "HIGH", "LOW")
        ]  # fmt: skip
        session.add_all(rows)
    normal, high, unposted = rows
    conf = register(cfg.ConfigOpts())
    conf([], default_config_files=[str(tmp_path / "dbflow.conf")])
    boards = Boards(conf)
    poster, holder = boards.poster(), boards.board("holder")
    holder.connect()
    for operation in (normal, high):
        poster.post(operation)
    wait_for(lambda: len(list(holder.waiting())) == 2, 10, "both jobs")
    urgent = next(holder.waiting())
    assert urgent.details["operation_id"] == high.id
    assert holder.claim(urgent)

    assert main(["--state-dir", str(tmp_path), "--format", "json", "job", "list"]) == 0
    jobs = json.loads(capsys.readouterr().out)
    assert [(job["operation"], job["owner"]) for job in jobs] == [
        (high.id, "holder"),
        (normal.id, None),
        (unposted.id, None),
    ]
    assert [job["posted"] is None for job in jobs] == [False, False, True]
    assert main(["--state-dir", str(tmp_path), "job", "list"]) == 0
    assert high.id in capsys.readouterr().out
    holder.close()
    poster.close()
    database.close()
