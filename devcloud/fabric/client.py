# SPDX-License-Identifier: Apache-2.0
"""Asking the fabric of a cloud in a directory."""

import json
import pathlib
import socket
from typing import Any

SOCKET = "run/fabric.sock"


class Refused(Exception):
    """The fabric could not do it."""


def _ask(directory: pathlib.Path, **question: object) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(directory / SOCKET))
        sock.sendall(json.dumps(question).encode() + b"\n")
        answer: dict[str, Any] = json.loads(sock.makefile().readline())
    if "error" in answer:
        raise Refused(answer["error"])
    return answer


def expose(directory: pathlib.Path, namespace: str, address: str, port: int) -> int:
    """A port of the host's 127.0.0.1 that leads to an address, coming from a namespace: a network's (then the
    gateway is who calls) or a server's."""
    return int(_ask(directory, op="expose", namespace=namespace, address=address, port=port)["port"])


def forward(directory: pathlib.Path, port: int) -> None:
    """Let servers, present and future, reach a port of the host's 127.0.0.1 under the same address."""
    _ask(directory, op="forward", port=port)


def connect(directory: pathlib.Path, namespace: str) -> None:
    """Give a new server's namespace the ports that servers reach."""
    _ask(directory, op="connect", namespace=namespace)


def drop(directory: pathlib.Path, namespace: str) -> None:
    """Close all that was opened for a namespace."""
    _ask(directory, op="drop", namespace=namespace)


def load_filters(directory: pathlib.Path) -> None:
    """Let the security groups be in force on return, not at the next look at them."""
    _ask(directory, op="filter")
