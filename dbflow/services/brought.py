# SPDX-License-Identifier: Apache-2.0
"""A certificate that its owner brings: read from the secret store, and found to be of use."""

from dbflow import secretstore
from dbflow.certificates import BadCertificate
from dbflow.pkcs12 import Brought
from dbflow.secretstore import SecretError, StoreUnavailable
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Unavailable
from dbflow.tlsmode import Mode
from dbflow.unpacking import unpack


def bring(
    services: Services, caller: Caller, project_id: str, mode: str, container_ref: str, password_ref: str | None
) -> Brought:
    """For an instance of that project, whoever asks. BadRequest names the field that is wrong, Unavailable where the
    store does not answer. Before any transaction: the store may be slow."""
    data = _read(services, caller, project_id, "container_ref", container_ref)
    password = _read(services, caller, project_id, "password_ref", password_ref).strip() if password_ref else None
    try:
        found = unpack(data, password)
    except BadCertificate as error:
        raise BadRequest(f"container_ref: {error}") from None
    if mode == Mode.MTLS and not found.issued:
        raise BadRequest(
            "container_ref: mode mtls needs the certificate of an authority, which clients have theirs of."
        )
    return found


def _read(services: Services, caller: Caller, project_id: str, field: str, reference: str) -> bytes:
    try:
        return secretstore.load(services.conf).read(reference, project_id, caller.token)
    except StoreUnavailable as error:
        raise Unavailable(f"{field}: {error}", {"Retry-After": "5"}) from None
    except SecretError as error:
        raise BadRequest(f"{field}: {error}") from None
