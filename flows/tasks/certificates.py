# SPDX-License-Identifier: Apache-2.0
"""Certificates of database servers."""

from collections.abc import Mapping
from typing import Any

from dbflow import authorities
from dbflow.authorities import Times
from dbflow.certificates import BadCertificate
from dbflow.db import tls
from dbflow.db.models import Instance, InstanceTls
from dbflow.tlsmode import Mode
from dbflow.waits import Overdue
from flows.tasks.base import LocalTask


class SignCertificate(LocalTask):
    """Issue a certificate to the key that a machine has made, and record it."""

    default_provides = "identity"

    def execute(self, instance_id: str, csr: str) -> dict[str, Any]:
        """Returns what guest.tasks.tls.InstallCertificate takes. Overdue when the machine's request is none."""
        times = Times.from_conf(self.context.conf)
        with self.context.fence.write() as session:
            instance = session.get_one(Instance, instance_id)
            try:
                made = authorities.issue(session, self.context.keyring, times, instance, csr)
            except BadCertificate as error:
                raise Overdue(str(error)) from None
            tls.put(
                session,
                instance_id,
                certificate=made.certificate,
                expires=made.expires,
                authority_id=made.authority_id,
                known=made.known,
            )
        return {"mode": Mode.BUILTIN, "certificate": made.certificate, "authorities": made.authorities}

    def revert(self, instance_id: str, old_tls: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Record what was before; nothing of a new instance."""
        with self.context.fence.write() as session:
            tls.put_back(session, instance_id, old_tls)


class TakeIdentity(LocalTask):
    """Take the certificate and the private key that the owner brought: the API has left them, sealed."""

    default_provides = "identity"

    def execute(self, holder_id: str) -> dict[str, Any]:
        """Returns what guest.tasks.tls.InstallCertificate takes. ``holder_id``: of the instance where they are."""
        with self.context.fence.database.read() as session:
            sealed = session.get_one(InstanceTls, holder_id).sealed
        if sealed is None:
            raise Overdue("The certificate is not there any more: ask again.")
        identity: dict[str, Any] = self.context.keyring.unseal(sealed)
        return identity
