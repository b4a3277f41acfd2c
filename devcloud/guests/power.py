# SPDX-License-Identifier: Apache-2.0
"""On and off."""

import os
import pathlib
import shlex
import signal
import subprocess
import time

from devcloud.guests import disks
from devcloud.guests.host import HostError, attempt
from devcloud.guests.state import Guest
from devcloud.processes import start_time, write_atomically

BOOT = pathlib.Path(__file__).with_name("boot.sh")
HALT = signal.SIGRTMIN + 3
"""What tells systemd to halt."""
GRACE = 8.0
"""Seconds for that; then it is cut off."""
START = 'echo $$ >"$0"; exec "$@"'
"""Into a control group, by the process itself: there is no moment in which it runs outside."""


def on(guest: Guest) -> None:
    """Boot it, if it boots at all; return when its first process is there."""
    if guest.boots and not guest.pid:
        write_atomically(guest.directory / "disks", disks.connect(guest))
        _boot(guest)
    guest.set_power("on")


def off(guest: Guest, grace: float = GRACE) -> None:
    """Halt it, or cut it off when it takes longer than ``grace`` seconds; volumes are free on return."""
    if not guest.exists:
        return
    if pid := guest.pid:
        os.kill(pid, HALT if grace else signal.SIGKILL)
        deadline = time.monotonic() + grace
        while guest.pid and time.monotonic() < deadline:
            time.sleep(0.05)
        if guest.pid:
            os.kill(pid, signal.SIGKILL)
        while guest.pid:
            time.sleep(0.02)
    disks.disconnect(guest)
    guest.set_power("off")


def _boot(guest: Guest) -> None:
    facts = guest.read("guest")
    text = f"BASE={shlex.quote(facts['base'])}\nNAME={shlex.quote(facts['hostname'])}\n"
    write_atomically(guest.directory / "environment", text)
    guest.cgroup.mkdir(parents=True, exist_ok=True)
    unshare = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child=KILL"]
    argv = ["/bin/sh", "-c", START, str(guest.cgroup / "cgroup.procs"), "nsenter"]
    argv += [f"--net=/run/netns/{guest.namespace}", *unshare, "/bin/sh", str(BOOT), str(guest.directory)]
    with guest.console.open("ab") as console:
        outer = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True, cwd="/"
        )
    pid = _first_process(outer, guest)
    guest.write("pid", [pid, start_time(pid)])


def _first_process(outer: "subprocess.Popen[bytes]", guest: Guest) -> int:
    """The child of unshare is the first process of the namespaces."""
    children = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    while outer.poll() is None:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.02)
    raise HostError(f"the server ended at its start: {guest.tail(2000).decode(errors='replace')}")


def remove_cgroup(guest: Guest) -> None:
    """When it is off for good."""
    attempt("find", str(guest.cgroup), "-depth", "-type", "d", "-delete")
