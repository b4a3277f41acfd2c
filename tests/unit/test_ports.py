# SPDX-License-Identifier: Apache-2.0
"""No two servers of tests are given the same port, although none listens yet."""

import subprocess
import sys

import pytest

from tests.servers import ports


def test_a_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, and while it lives in any other."""
    first = next(port for port in range(ports.FIRST, ports.LAST) if ports.claimed(port))
    monkeypatch.setattr(ports, "FIRST", first)
    monkeypatch.setattr(ports, "LAST", first + 400)
    given = [*ports.free_ports(4), *ports.free_ports(4)]
    assert len({first, *given}) == 9
    assert not any(ports.claimed(port) for port in given)
    assert _elsewhere(*given) == "[]"


def _elsewhere(*wanted: int) -> str:
    """Which of them another process gets."""
    code = f"from tests.servers import ports; print([port for port in {wanted} if ports.claimed(port)])"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
