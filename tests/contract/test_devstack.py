# SPDX-License-Identifier: Apache-2.0
"""What the DevStack plugin does to a ZooKeeper."""

import pathlib
import subprocess
import sys

from kazoo.client import KazooClient

from tests.servers import ZooKeeper

PLUGIN = pathlib.Path(__file__).parents[2] / "devstack/plugin.sh"
CLEAR = """\
set -euo pipefail
is_service_enabled() {{ false; }}
source {plugin}
DBFLOW_BIN_DIR={programs} DBFLOW_ZOOKEEPER={hosts}
clear_dbflow_board
clear_dbflow_board
"""


def test_the_board_of_a_database_that_is_gone_is_cleared(servers_base: pathlib.Path, tmp_path: pathlib.Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with ZooKeeper(servers_base) as zookeeper:
        client = KazooClient(zookeeper.hosts)
        client.start(timeout=30)
        client.ensure_path("/dbflow/jobs/job1")
        client.ensure_path("/other")
        script = CLEAR.format(plugin=PLUGIN, programs=tmp_path, hosts=zookeeper.hosts)
        subprocess.run(["bash", "-c", script], check=True, timeout=60)
        assert sorted(client.get_children("/")) == ["other", "zookeeper"]
        client.stop()
