# SPDX-License-Identifier: Apache-2.0
"""PKCS#12 data of strangers, read in a process of its own, which may take as long as it likes and die: how much work
they are the data themselves say, and the library that does it lets nothing else in the process run meanwhile.

``python -m dbflow.unpacking`` is that process: {"data", "password"} in base64 on its standard input; {"brought"} or
{"refused"} on its output.
"""

import base64
import dataclasses
import datetime
import json
import resource
import subprocess
import sys
from typing import Any

from dbflow.certificates import BadCertificate
from dbflow.pkcs12 import UNREADABLE, Brought, read

_CPU, _TIMEOUT = 3, 20.0
"""Seconds of work, and seconds at most on a machine that has other work."""
_MEMORY = 1024 * 1024 * 1024
"""Bytes of addresses."""


def unpack(data: bytes, password: bytes | None) -> Brought:
    """BadCertificate, in words for its owner, for data that no server can use."""
    asked = {"data": _text(data), "password": None if password is None else _text(password)}
    try:
        done = subprocess.run(
            # Not from the directory that the service was started in.
            [sys.executable, "-P", "-m", "dbflow.unpacking"],
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadCertificate("It takes too long to be read.") from None
    if done.returncode != 0:
        raise BadCertificate(UNREADABLE)
    answer: dict[str, Any] = json.loads(done.stdout)
    if "refused" in answer:
        raise BadCertificate(answer["refused"])
    found = answer["brought"]
    return Brought(**{**found, "expires": datetime.datetime.fromisoformat(found["expires"])})


def main() -> None:
    """What ends it by force is for the other side to explain."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU, _CPU))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.load(sys.stdin)
    password = None if asked["password"] is None else base64.b64decode(asked["password"])
    json.dump(_answer(base64.b64decode(asked["data"]), password), sys.stdout)


def _answer(data: bytes, password: bytes | None) -> dict[str, Any]:
    try:
        brought = dataclasses.asdict(read(data, password))
    except BadCertificate as error:
        return {"refused": str(error)}
    return {"brought": {**brought, "expires": brought["expires"].isoformat()}}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
