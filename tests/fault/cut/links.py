# SPDX-License-Identifier: Apache-2.0
"""Links that can be cut, in a network namespace of our own.

Who is at one end of a link reaches the other by an address that nobody else uses; the kernel leads it to where the
server listens. What belongs to a connection to that address is dropped while the link is cut, both ways, so both ends
see what they would see of a broken switch: nothing.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.servers.ports import LOOPBACK

GUESTS_BROKER = "127.0.0.51"
_TABLE = "cut"
_INSIDE = "DBFLOW_TESTS_IN_NAMESPACE"


def broker_of_conductor(number: int) -> str:
    """The address by which a conductor reaches the broker."""
    return f"127.0.0.{61 + number}"


def zookeeper_of_conductor(number: int) -> str:
    """The address by which a conductor reaches ZooKeeper."""
    return f"127.0.0.{71 + number}"


def inside() -> bool:
    """Whether this process is in a namespace that :func:`command` made."""
    return _INSIDE in os.environ


def command(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """(command, environment) of ``python -m …`` in a new network namespace; who is not root becomes the
    administrator of nothing but that."""
    unprivileged = ["--user", "--map-current-user", "--keep-caps"] if os.geteuid() else []
    argv = ["unshare", *unprivileged, "--net", sys.executable, "-m", *arguments]
    return argv, {**os.environ, _INSIDE: "1", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


def lay(addresses: Sequence[str]) -> None:
    """Bring the loopback up, and the links whose addresses these are."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    leads = "\n".join(f"ip daddr {address} dnat to {LOOPBACK}" for address in addresses)
    _nft(f"""
table ip {_TABLE} {{
  chain leads {{ type nat hook output priority -100;
{leads}
  }}
  chain drops {{ type filter hook output priority 0; }}
}}
""")


@contextlib.contextmanager
def cut(address: str) -> Iterator[None]:
    """The link of that address is cut while the block lasts."""
    _nft(f"add rule ip {_TABLE} drops ct original ip daddr {address} drop")
    try:
        yield
    finally:
        _nft(f"flush chain ip {_TABLE} drops")


def _nft(rules: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
