# SPDX-License-Identifier: Apache-2.0
"""Encrypted connections."""

import abc
import dataclasses


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a server shows its clients, and whom it believes; PEM texts."""

    mode: str
    """A name of dbflow.tlsmode.Mode."""
    certificate: str
    """The server's, then those between it and its authority."""
    authorities: str
    """Who issued it, and who issues those of its clients."""
    key: str | None = dataclasses.field(default=None, repr=False)
    """None: the one of the machine's last request."""


class Tls(abc.ABC):
    """Encrypted connections. A server offers them from its first start on."""

    @abc.abstractmethod
    def offered(self) -> bool:
        """Whether the running server does; one that was started by an earlier release does not."""

    @abc.abstractmethod
    def certified(self) -> bool:
        """Whether it does with a certificate that it was given."""

    @abc.abstractmethod
    def request(self) -> str:
        """A request for a certificate (PEM) of a key that never leaves the machine; the same key until a certificate of
        it is installed."""

    @abc.abstractmethod
    def install(self, identity: Identity, change: str) -> None:
        """Use this from now on, also after restarts; connections that are there stay. ``change`` names the change: run
        again, it is the same one. DatastoreError where the key does not fit, or where the server offers no TLS."""

    @abc.abstractmethod
    def undo(self, change: str) -> None:
        """As before that change, if it was the last one."""
