# SPDX-License-Identifier: Apache-2.0
"""The PKCS#12 data in which owners bring a certificate, its private key and its authority."""

import dataclasses
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from dbflow.certificates import BadCertificate, chain, show, try_out

UNREADABLE = "It is no PKCS#12 data, or not with this password."
_LEAST_BITS = 2048
_MOST = 10
"""Certificates beside the server's."""


@dataclasses.dataclass(frozen=True)
class Brought:
    """PEM texts."""

    certificate: str
    """The server's, then those between it and its authority."""
    key: str = dataclasses.field(repr=False)
    authorities: str
    """The end of its chain: one that issued itself."""
    expires: datetime.datetime
    """Naive, UTC."""
    issued: bool
    """Whether it has an authority, and did not issue itself."""


def read(data: bytes, password: bytes | None) -> Brought:
    """BadCertificate, in words for its owner, for data that no server can use."""
    try:
        return _read(data, password)
    except BadCertificate:
        raise
    except Exception:  # what a stranger's data may make the library raise is in no list
        raise BadCertificate("It holds something that can't be read.") from None


def _read(data: bytes, password: bytes | None) -> Brought:
    key, leaf, others = _parts(data, password)
    if key.public_key() != leaf.public_key():
        raise BadCertificate("The private key is not the certificate's.")
    links = chain(leaf, others)
    for one in links:
        _must_be_valid(one)
    between = links[:-1] or links
    found = Brought(
        certificate="".join(map(_text, between)),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        authorities=_text(links[-1]),
        expires=leaf.not_valid_after_utc.replace(tzinfo=None),
        issued=len(links) > 1,
    )
    show(found.certificate)
    try_out(found.certificate, found.key, found.authorities)
    return found


def _parts(
    data: bytes, password: bytes | None
) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, x509.Certificate, list[x509.Certificate]]:
    if password is not None and b"\0" in password:
        raise BadCertificate(UNREADABLE)  # the library does not survive it
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(data, password)
    except (ValueError, TypeError):
        # Of a wrong password, the data look like no data at all.
        raise BadCertificate(UNREADABLE) from None
    if key is None or leaf is None:
        raise BadCertificate("It holds no certificate with its private key.")
    if len(others) > _MOST:
        raise BadCertificate(f"It holds {len(others)} certificates beside the server's; {_MOST} are the most.")
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < _LEAST_BITS:
            raise BadCertificate(f"Its RSA key has {key.key_size} bits; {_LEAST_BITS} are the least.")
    elif not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadCertificate("Its private key is neither RSA nor of an elliptic curve.")
    return key, leaf, others


def _must_be_valid(one: x509.Certificate) -> None:
    now, name = datetime.datetime.now(datetime.UTC), one.subject.rfc4514_string()
    if now > one.not_valid_after_utc:
        raise BadCertificate(f"The certificate of {name} expired at {one.not_valid_after_utc:%Y-%m-%d %H:%M:%S}.")
    if now < one.not_valid_before_utc:
        raise BadCertificate(f"The certificate of {name} is valid from {one.not_valid_before_utc:%Y-%m-%d %H:%M:%S}.")


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
