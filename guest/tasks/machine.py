# SPDX-License-Identifier: Apache-2.0
"""Ask a guest about the machine that it is on, and about itself."""

import os
import pathlib
from importlib.metadata import version
from typing import Any, ClassVar

from guest.tasks.base import GuestTask

_KEYS = {
    "Threads": "threads",
    "FDSize": "fdSize",
    "VmSize": "vmSize",
    "VmPeak": "vmPeak",
    "VmRSS": "vmRss",
    "VmHWM": "vmHwm",
}
"""As proc(5) names them in /proc/PID/status, and as they are answered."""


class Diagnostics(GuestTask):
    """What the agent's process uses."""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 15.0

    def execute(self, instance_id: str) -> dict[str, Any]:
        """{"version": the agent's, "threads", "fdSize": numbers, "vmSize", "vmPeak", "vmRss", "vmHwm": KiB}"""
        found: dict[str, Any] = {"version": version("dbflow")}
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in _KEYS:
                found[_KEYS[name]] = int(value.split()[0])
        return found


class Hardware(GuestTask):
    """What the machine has."""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 15.0

    def execute(self, instance_id: str) -> dict[str, int]:
        """{"mem_total": KiB, "num_cpus": those that the agent may use}"""
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        return {"mem_total": pages * size // 1024, "num_cpus": len(os.sched_getaffinity(0))}
