# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench.load``: one client on one kept connection, as fast as the server answers.

Reads a Task as JSON from standard input; prints {"seconds": each request's, "refused": how many}. Speaks HTTP/1.1 on
a bare socket, since a client library would cost as much processor time as the server that is measured.
"""

import dataclasses
import itertools
import json
import socket
import sys
import time


@dataclasses.dataclass(frozen=True)
class Task:
    """What to ask."""

    port: int
    method: str
    targets: list[tuple[str, str]]
    """(path, token), taken in turns."""
    body: str
    begin: float
    """When, by the clock that all processes of the machine share (CLOCK_MONOTONIC)."""
    seconds: float


def run(task: Task) -> dict[str, object]:
    """Ask until the time is over."""
    requests = itertools.cycle([_request(task, *target) for target in task.targets])
    took, refused = [], 0
    with socket.create_connection(("127.0.0.1", task.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb")
        time.sleep(max(0.0, task.begin - time.monotonic()))
        begun = time.monotonic()  # late, where processes take long to start; but the time is the same
        while time.monotonic() < begun + task.seconds:
            sent = time.monotonic()
            connection.sendall(next(requests))
            status = int(reader.readline().split()[1])
            length = 0
            while (header := reader.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            reader.read(length)
            took.append(time.monotonic() - sent)
            refused += status >= 300
    return {"seconds": took, "refused": refused}


def _request(task: Task, path: str, token: str) -> bytes:
    head = [f"{task.method} {path} HTTP/1.1", f"Host: 127.0.0.1:{task.port}", f"X-Auth-Token: {token}"]
    if task.body:
        head += ["Content-Type: application/json", f"Content-Length: {len(task.body)}"]
    return ("\r\n".join([*head, "", ""]) + task.body).encode()


if __name__ == "__main__":
    print(json.dumps(run(Task(**json.load(sys.stdin)))))
