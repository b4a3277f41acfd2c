# SPDX-License-Identifier: Apache-2.0
"""TLS of the database server.

An ``identity`` is ``{"mode": str, "certificate": str, "authorities": str}`` (PEM texts), and ``{"key": str}`` where the
machine did not make it itself; see guest.datastores.base.Identity.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from guest.datastores.base import DatastoreError, Identity, Tls, Unsupported
from guest.tasks.base import GuestTask


class TlsTask(GuestTask):
    """Base of the tasks here."""

    deadline: ClassVar[float] = 120.0

    @property
    def tls(self) -> Tls:
        """Of the machine's plug-in."""
        if self.datastore.tls is None:
            raise Unsupported("This datastore has no TLS.")
        return self.datastore.tls


class CheckTls(TlsTask):
    """See that the server offers TLS."""

    reads_only: ClassVar[bool] = True

    def execute(self, instance_id: str) -> None:
        """DatastoreError when it was started by a release that knew no TLS."""
        if not self.tls.offered():
            raise DatastoreError("The database server was started without TLS: restart it first.")


class CheckCertified(TlsTask):
    """See that the server has a certificate that it was given: its replicas can believe it then, and it them."""

    reads_only: ClassVar[bool] = True

    def execute(self, instance_id: str) -> None:
        """DatastoreError when it has none."""
        if not self.tls.certified():
            raise DatastoreError(
                "The database server has no certificate yet that its set could check: disabling TLS gives it one."
            )


class RequestCertificate(TlsTask):
    """Ask for a certificate; the private key stays on the machine."""

    def execute(self, instance_id: str) -> str:
        """The request (PEM)."""
        return self.tls.request()


class InstallCertificate(TlsTask):
    """Give a new server its certificate.

    Undoing it is deleting the machine.
    """

    def execute(self, instance_id: str, identity: Mapping[str, Any], change: str) -> None:
        """``change`` is another text at each change of an instance's TLS."""
        self.tls.install(Identity(**identity), change)


class ChangeCertificate(InstallCertificate):
    """Give a server another certificate, or another mode."""

    def revert(self, instance_id: str, change: str, **_: Any) -> None:
        """As it was."""
        self.tls.undo(change)


class RenewCertificate(ChangeCertificate):
    """Give a server another certificate of the same kind: should nobody answer whether it was taken back, either is
    good."""

    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})
