# SPDX-License-Identifier: Apache-2.0
"""etc/logrotate.d/dbflow, by logrotate itself, under a service that goes on writing."""

import pathlib
import subprocess
import sys

from tests.waiting import wait_for

CONFIG = pathlib.Path(__file__).parents[2] / "etc/logrotate.d/dbflow"
SERVICE = """\
import logging, sys
from dbflow.cmd.wiring import configure
configure(["--log-dir", sys.argv[1], "--log-file", "dbflow-conductor.log"], [])
for line in sys.stdin:
    logging.getLogger("dbflow").info("line %s", line.strip())
"""


def test_no_line_is_lost(open_tmp: pathlib.Path) -> None:
    logs = open_tmp / "log"
    logs.mkdir(mode=0o755)
    current, last = logs / "dbflow-conductor.log", logs / "dbflow-conductor.log.1"
    config = open_tmp / "dbflow"
    text = CONFIG.read_text().replace("/var/log/dbflow", str(logs)).replace("    su dbflow dbflow\n", "")
    config.write_text(text)
    config.chmod(0o644)
    rotate = ["logrotate", "--force", "--state", str(open_tmp / "state"), str(config)]
    with subprocess.Popen([sys.executable, "-c", SERVICE, str(logs)], stdin=subprocess.PIPE, text=True) as service:
        assert service.stdin is not None

        def write(number: int) -> None:
            assert service.stdin is not None
            print(number, file=service.stdin, flush=True)
            wait_for(lambda: current.exists() and f"line {number}\n" in current.read_text(), 30, f"line {number}")

        write(1)
        subprocess.run(rotate, check=True, timeout=60)
        assert "line 1\n" in last.read_text()
        write(2)
        assert "line 1\n" not in current.read_text()
        subprocess.run(rotate, check=True, timeout=60)
        write(3)
        service.stdin.close()
    assert "line 2\n" in last.read_text()
    assert sorted(path.name for path in logs.iterdir()) == [
        "dbflow-conductor.log",
        "dbflow-conductor.log.1",
        "dbflow-conductor.log.2.gz",
    ]
