# SPDX-License-Identifier: Apache-2.0
"""Real agent processes."""

import os
import pathlib
import signal
import subprocess
import sys

from dbflow import guestconfig

REPOSITORY = pathlib.Path(__file__).parents[2]
ENTRY_POINTS = """\
[dbflow.guest.datastores]
file = tests.guests.datastore:FileDatastore
[dbflow.guest.tasks]
tests = tests.guests.tasks
"""


class GuestProcess:
    """One guest: its directories, and the agent's process while it runs."""

    def __init__(self, root: pathlib.Path, instance_id: str, key: bytes, url: str, exchange: str) -> None:
        self.instance_id, self.key = instance_id, key
        self.root = root / instance_id
        self.config, self.data = self.root / "config", self.root / "data"
        self.config.mkdir(parents=True)
        self.data.mkdir()
        self._packages = root / "packages"
        self._write_entry_points()
        files = guestconfig.render(
            instance_id=instance_id,
            manager="file",
            url=url,
            exchange=exchange,
            key=key,
            heartbeat_interval=0.5,
            beat_interval=0.3,
        )
        machine = f"[machine]\naddress = 127.0.0.1\ndata_dir = {self.data}\nrun_dir = {root}\nlog_dir = {root}\n"
        for name, text in {**files, "machine.conf": machine}.items():
            path = self.config / name
            path.touch(0o600)
            path.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    def _write_entry_points(self) -> None:
        info = self._packages / "dbflow_test_guests-1.dist-info"
        if info.exists():  # and other guests, which have just been started, may be reading it
            return
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dbflow-test-guests\nVersion: 1\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)

    @property
    def log(self) -> str:
        """What the agent has logged."""
        return (self.root / "agent.log").read_text()

    def start(self) -> None:
        with (self.root / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "guest.main", "--config-dir", str(self.config)],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": f"{self._packages}:{REPOSITORY}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.process = None
        return status

    def kill(self) -> None:
        """As if the machine lost power, for the agent."""
        self.stop(signal.SIGKILL)
