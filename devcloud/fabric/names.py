# SPDX-License-Identifier: Apache-2.0
"""How network namespaces are called: after the first eleven digits of an id."""

import pathlib

RUN = pathlib.Path("/run/netns")


def of_server(uuid: str) -> str:
    """A server's."""
    return f"dcg-{_digits(uuid)}"


def of_network(uuid: str) -> str:
    """A network's, with a bridge and the gateway's address."""
    return f"dcn-{_digits(uuid)}"


def of_port(uuid: str) -> str:
    """The network's end of a port."""
    return f"p{_digits(uuid)}"


def exists(name: str) -> bool:
    """Whether there is a namespace of that name."""
    return (RUN / name).exists()


def _digits(uuid: str) -> str:
    return uuid.replace("-", "")[:11]
