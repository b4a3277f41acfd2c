# SPDX-License-Identifier: Apache-2.0
"""Running a piece of a test in a process of its own: as another user, many at once, or killed in its middle."""

import os
import pwd
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

NOBODY = "nobody"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EFFECTS = {
    "open",
    "os.mkdir",
    "os.rename",
    "os.link",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "os.chown",
    "os.truncate",
    "os.kill",
    "subprocess.Popen",
}


def start(action: Callable[[], Any]) -> int:
    """Run ``action`` in a forked process; returns its process id. It ends with 0, or 1 and a trace on stderr."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        action()
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def join(pid: int) -> int:
    """Exit status of a process that :func:`start` made; negative: the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(action: Callable[[], Any]) -> int:
    """Both in one."""
    return join(start(action))


def run_unprivileged(action: Callable[[], Any]) -> int:
    """Run it as nobody when this is root, else as who we are."""

    def drop() -> None:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam(NOBODY)
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
        action()

    return run(drop)


def killed_at(moment: int, action: Callable[[], Any]) -> bool:
    """Run ``action`` and kill the process (SIGKILL) just before its effect number ``moment`` (from 0) on files
    or processes. False when it had fewer effects and ended in order."""

    def doomed() -> None:
        left = moment

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event not in _EFFECTS or (event == "open" and not arguments[2] & _WRITES):
                return
            left -= 1  # before the kill, which is an event too
            if left == -1:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        action()

    status = run(doomed)
    assert status in (0, -signal.SIGKILL), f"ended with {status} before effect {moment}"
    return status != 0
