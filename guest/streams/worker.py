# SPDX-License-Identifier: Apache-2.0
"""``python -m guest.streams.worker DIR LOCK``: works an order off, in a process that outlives the agent.

The order comes on standard input, as JSON, since it holds secrets: ``{"patience": seconds, "steps": [step, …]}``. A
step's ``do`` is one of

``send``      run ``command`` and send its output: ``store`` (a grant), ``key`` (base64), ``label``, ``stream``,
              ``segment_size`` (MiB), ``level`` (of zstd), ``expected`` (bytes, for the progress), ``holds`` (see
              guest.datastores.base.Source)
``receive``   run ``command`` and feed it a backup: ``store``, ``key``, ``label``, ``backup_id``, ``checksum`` (of the
              manifest)
``run``       run ``command``
``make``      make the directory ``path``, empty
``remove``    remove the directory ``path``

with ``user`` ([uid, gid], or None) for commands and directories. ``DIR/progress`` holds a fraction,
``DIR/commands.log`` what the commands say; ``DIR/result.json`` appears at the end:
``{"sent": {"read": bytes, "segments": [[size, sha256], …]}}`` or ``{"error": "…"}``.
"""

import contextlib
import fcntl
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

from dbflow import faults, logcontext
from guest.streams.files import COMMANDS_LOG, PROGRESS, RESULT, SESSION
from guest.streams.hold import Hold
from guest.streams.receiving import Damaged, Receiving
from guest.streams.sending import Sending
from guest.streams.store import Store, StoreFailed

LOG = logging.getLogger(__name__)
_SWITCH = 0.0005
"""Seconds that a thread may hold up the others, whose work is mostly outside of Python."""
_TELL = 0.5
"""Seconds between two reports of progress."""
_PIPE = 1 << 20
_ERROR = re.compile(r"\[ERROR\]|\bERROR \d|\bError\b:|\bGot error\b")
"""How programs of databases begin what went wrong; names of tables come after other words."""
_QUOTED = re.compile(r"(?<=near ).*")
"""What a server repeats of a statement may be data."""
_SAID = 3
"""Lines of a command's last words."""


class Failed(Exception):
    """A command failed; ``str()`` is fit for a user to read."""


class Worker:
    """Works off one order."""

    def __init__(self, directory: pathlib.Path, order: Mapping[str, Any], lock: int | None) -> None:
        """``lock``: a descriptor that every command inherits, so that whoever comes later knows if one still runs."""
        self._directory, self._order, self._lock = directory, order, lock
        self._told = 0.0
        self._done = 0
        self._steps: list[dict[str, Any]] = order["steps"]

    def run(self) -> dict[str, Any]:
        """What goes into the result."""
        result: dict[str, Any] = {}
        try:
            for number, step in enumerate(self._steps):
                self._done, began = number, time.monotonic()
                faults.point(f"guest.stream.{step['do']}")
                result |= self._do(step) or {}
                LOG.info("%s: %.2f s", step["do"], time.monotonic() - began)
        except (Failed, Damaged, StoreFailed) as error:
            return {"error": str(error)}
        except Exception as error:
            LOG.exception("the stream broke off")
            return {"error": f"The stream broke off ({type(error).__name__})."}
        return result

    def _do(self, step: Mapping[str, Any]) -> dict[str, Any] | None:
        actions: dict[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]] = {
            "send": self._send,
            "receive": self._receive,
            "run": self._command,
            "make": _make,
            "remove": _remove,
        }
        return actions[step["do"]](step)

    def _send(self, step: Mapping[str, Any]) -> dict[str, Any]:
        hold = Hold(self._directory / COMMANDS_LOG, step["holds"])
        sending = Sending(step, Store(step["store"], self._order["patience"]), hold)
        whole = max(1, step["expected"])
        process = self._start(step, stdout=subprocess.PIPE)
        output = cast(IO[bytes], process.stdout)
        try:
            sending.run(output, lambda read: self._tell(read / whole))
        except BaseException:
            process.kill()
            raise
        finally:
            output.close()
            process.wait()
        self._must_have_succeeded(process)
        return {"sent": {"read": sending.read, "segments": sending.segments}}

    def _receive(self, step: Mapping[str, Any]) -> None:
        receiving = Receiving(step, Store(step["store"], self._order["patience"]))
        process = self._start(step, stdin=subprocess.PIPE)
        entry = cast(IO[bytes], process.stdin)
        try:
            receiving.pump(entry, self._tell)
            entry.close()
        except BrokenPipeError:  # it says itself why it ended
            process.kill()
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        self._must_have_succeeded(process)

    def _command(self, step: Mapping[str, Any]) -> None:
        process = self._start(step)
        process.wait()
        self._must_have_succeeded(process)

    def _start(self, step: Mapping[str, Any], **pipes: Any) -> "subprocess.Popen[bytes]":
        user: dict[str, Any] = {}
        if step["user"] is not None:
            user = {"user": step["user"][0], "group": step["user"][1], "extra_groups": []}
        with open(self._directory / COMMANDS_LOG, "ab") as log:
            process = subprocess.Popen(
                step["command"],
                **{"stdin": subprocess.DEVNULL, "stdout": log, **pipes},
                stderr=log,
                cwd="/",
                umask=0o027,
                pass_fds=[] if self._lock is None else [self._lock],
                **user,
            )
        for pipe in filter(None, (process.stdin, process.stdout)):
            _widen(pipe)
        return process

    def _must_have_succeeded(self, process: "subprocess.Popen[bytes]") -> None:
        if process.returncode == 0:
            return
        name = pathlib.PurePath(str(process.args[0])).name  # type: ignore[index]
        raise Failed(f"{name} failed ({process.returncode}): {_last_words(self._directory / COMMANDS_LOG)}")

    def _tell(self, fraction: float) -> None:
        now = time.monotonic()
        if now - self._told < _TELL:
            return
        self._told = now
        done = (self._done + min(fraction, 1.0)) / len(self._steps)
        (self._directory / PROGRESS).write_text(f"{done:.4f}")


def _widen(pipe: IO[bytes]) -> None:
    """To a megabyte: fewer changes between the two processes."""
    with contextlib.suppress(OSError):  # above the limit of an unprivileged user
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def _make(step: Mapping[str, Any]) -> None:
    _remove(step)
    path = pathlib.Path(step["path"])
    path.mkdir(mode=0o700)
    if step["user"] is not None:
        os.chown(path, *step["user"])


def _remove(step: Mapping[str, Any]) -> None:
    path = pathlib.Path(step["path"])
    if path.exists():
        shutil.rmtree(path)


def _last_words(log: pathlib.Path) -> str:
    """Lines that speak of an error, or simply the last."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-200:] if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return " ".join(_QUOTED.sub("…", line) for line in (errors or lines)[-_SAID:])[-600:] or "it did not say why."


def write_result(directory: pathlib.Path, result: Mapping[str, Any]) -> None:
    """At once, or not at all."""
    fresh = directory / f".{RESULT}"
    fresh.write_text(json.dumps(result))
    fresh.replace(directory / RESULT)


def main() -> None:
    """Never fails: the result says what did."""
    logcontext.install()
    logging.basicConfig(level=logging.INFO, format=logcontext.FORMAT, datefmt=logcontext.DATES, stream=sys.stderr)
    sys.setswitchinterval(_SWITCH)
    directory, lock = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    # Of which it is the leader, and all that it starts are members.
    (directory / SESSION).write_text(str(os.getpid()))
    order = json.load(sys.stdin)
    logcontext.enter(logcontext.heard(order.get("about")))
    write_result(directory, Worker(directory, order, lock).run())


if __name__ == "__main__":
    main()
