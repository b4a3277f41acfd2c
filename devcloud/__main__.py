# SPDX-License-Identifier: Apache-2.0
"""The command ``tools/devcloud``."""

import argparse
import contextlib
import fcntl
import os
import pathlib
import sys
import time
from collections.abc import Iterator, Sequence

import requests

from devcloud import status
from devcloud.down import down
from devcloud.fabric import client
from devcloud.processes import Failed
from devcloud.settings import COMPACT, DEFAULT_SERVICES, FULL, SERVICES, BadSettings, Settings
from devcloud.up import up

DIRECTORY = pathlib.Path("/var/lib/dbflow-devcloud")
"""It survives a boot; the path of a socket must be short."""
WISHES = ("port_base", "mode", "computes", "services", "debug")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0; 1 for what failed; 2 for options that can't be; those of ``status``."""
    options = _parser().parse_args(arguments)
    directory = options.dir.absolute()
    try:
        alone = options.command in ("up", "down")
        with _lock(directory, make=options.command == "up") if alone else contextlib.nullcontext():
            return int(options.run(directory, options) or 0)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 2
    except (Failed, client.Refused, OSError, requests.RequestException) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/devcloud", description="A real OpenStack on this machine, for tests and for developers."
    )
    parser.add_argument("--dir", type=pathlib.Path, default=DIRECTORY, help="all that it has (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("up", help="start it, or what has died of it")
    starting.add_argument("--port-base", type=int, default=argparse.SUPPRESS, help="its first port (21000)")
    starting.add_argument(
        "--mode",
        choices=(COMPACT, FULL),
        default=argparse.SUPPRESS,
        help="compact (the default): a process a project; full: a process a service, with RabbitMQ between them",
    )
    starting.add_argument("--computes", type=int, default=argparse.SUPPRESS, help="compute hosts, in full mode (1)")
    starting.add_argument(
        "--services",
        type=lambda text: tuple(text.split(",")),
        default=argparse.SUPPRESS,
        metavar="NAME,…",
        help=f"of {','.join(SERVICES)} (default: {','.join(DEFAULT_SERVICES)})",
    )
    starting.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="let the services log more")
    starting.set_defaults(run=_up)
    stopping = commands.add_parser("down", help="stop it, with its servers")
    stopping.add_argument("--purge", action="store_true", help="remove its directory too")
    stopping.set_defaults(run=_down)
    looking = commands.add_parser("status", help="say what runs; exit status 0: all, 1: not all, 3: nothing")
    looking.set_defaults(run=_status)
    forwarding = commands.add_parser("forward", help="let servers reach ports of this machine's 127.0.0.1")
    forwarding.add_argument("port", type=int, nargs="+")
    forwarding.set_defaults(run=_forward)
    return parser


def _up(directory: pathlib.Path, options: argparse.Namespace) -> None:
    given = vars(options)
    settings = Settings.choose(directory, {name: given[name] for name in WISHES if name in given})
    began = time.monotonic()
    up(settings, lambda text: print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True))
    print(f"{time.monotonic() - began:6.1f} s  ready; to use it: . {directory}/openrc", flush=True)


def _down(directory: pathlib.Path, options: argparse.Namespace) -> None:
    if Settings.exist(directory):
        down(Settings.load(directory), options.purge)


def _status(directory: pathlib.Path, _options: argparse.Namespace) -> status.State:
    if not Settings.exist(directory):
        print(f"there is no devcloud in {directory}")
        return status.State.DOWN
    settings = Settings.load(directory)
    for line in status.report(settings):
        print(line)
    return status.state(settings)


def _forward(directory: pathlib.Path, options: argparse.Namespace) -> None:
    for port in options.port:
        client.forward(directory, port)


@contextlib.contextmanager
def _lock(directory: pathlib.Path, *, make: bool) -> Iterator[None]:
    """One start or stop at a time. Not ``make``: where nothing was ever started there is nothing to wait for."""
    path = directory / "lock"
    while True:
        if make:
            directory.mkdir(parents=True, exist_ok=True)
            path.touch()
        try:
            lock = path.open()
        except FileNotFoundError:
            if make:
                continue
            yield
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Not one that a purge has removed meanwhile.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                yield
                return


if __name__ == "__main__":
    sys.exit(main())
