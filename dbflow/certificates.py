# SPDX-License-Identifier: Apache-2.0
"""Certificates as PEM texts: what an authority issues, and what a server asks for. Keys are elliptic (P-256)."""

import contextlib
import dataclasses
import datetime
import ipaddress
import os
import re
import ssl
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW = datetime.timedelta(minutes=5)
"""A certificate is valid from a little before it was made: clocks differ."""
_LONGEST_NAME = 64
_FLIGHTS = 4
"""Of each side of a handshake, at most."""
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class BadCertificate(ValueError):
    """What a request, a certificate or a key is not fit for; ``str()`` holds no secret."""


@dataclasses.dataclass(frozen=True)
class Authority:
    """Who issues certificates."""

    certificate: str
    key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a certificate says."""

    cn: str
    expires: datetime.datetime
    """Naive, UTC."""
    san: tuple[str, ...]


def new_key() -> str:
    """A private key."""
    return _key_text(ec.generate_private_key(ec.SECP256R1()))


def request(key: str, name: str) -> str:
    """Ask for a certificate of this key."""
    made = x509.CertificateSigningRequestBuilder().subject_name(_name(name)).sign(_load_key(key), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def self_signed(key: str, name: str, address: str) -> str:
    """Of a server that nobody has given a certificate yet."""
    signing = _load_key(key)
    builder = _builder(name, name, datetime.timedelta(days=3650)).public_key(signing.public_key())
    builder = builder.add_extension(_names([address]), critical=False)
    return _text(builder.sign(signing, hashes.SHA256()))


def new_authority(name: str, lifetime: datetime.timedelta) -> Authority:
    """With a key of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(name, name, lifetime).public_key(key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Authority(_text(builder.sign(key, hashes.SHA256())), _key_text(key))


def issue(authority: Authority, csr: str, name: str, names: Iterable[str], lifetime: datetime.timedelta) -> str:
    """A server's certificate for the key of a request, whatever else that asks for: ``name`` and ``names`` (addresses
    and host names) are the authority's to know. BadCertificate for what is no request."""
    try:
        asked = x509.load_pem_x509_csr(csr.encode())
    except ValueError:
        raise BadCertificate("This is no request for a certificate.") from None
    key = asked.public_key()
    if not asked.is_signature_valid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadCertificate("The request for a certificate is not signed with its key.")
    issuer = load(authority.certificate)
    lifetime = min(lifetime, issuer.not_valid_after_utc - datetime.datetime.now(datetime.UTC))
    builder = _builder(name, issuer.subject, lifetime).public_key(key)
    builder = builder.add_extension(_names(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    public = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(public), critical=False
    )
    return _text(builder.sign(_load_key(authority.key), hashes.SHA256()))


def load(text: str) -> x509.Certificate:
    """The first of a PEM text. BadCertificate."""
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        raise BadCertificate("This is no certificate.") from None


def blocks(text: str) -> list[str]:
    """Each certificate of a PEM text."""
    return [f"{found}\n" for found in _BLOCK.findall(text)]


def together(*texts: str) -> str:
    """All certificates of these texts, each once."""
    return "".join(dict.fromkeys(block for text in texts for block in blocks(text)))


def show(text: str) -> Shown:
    """Of the first certificate of a PEM text."""
    found = load(text)
    return Shown(common_name(found.subject), found.not_valid_after_utc.replace(tzinfo=None), _alternatives(found))


def common_name(name: x509.Name) -> str:
    """Empty where there is none."""
    return next((str(part.value) for part in name.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def fits(certificate: str, key: str) -> bool:
    """Whether the certificate is of this key."""
    try:
        mine = serialization.load_pem_private_key(key.encode(), None).public_key()
    except (ValueError, TypeError):
        return False
    return _public(load(certificate).public_key()) == _public(mine)


def try_out(certificate: str, key: str, authorities: str) -> None:
    """Let a client that trusts these authorities and a server with this certificate shake hands, in memory.
    BadCertificate with OpenSSL's words for what it does not take. Nobody looks at names."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    try:
        _load_identity(server, key + certificate)
        client.load_verify_locations(cadata=authorities)
        _shake_hands(client, server)
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", None) or error.reason or "it can't be loaded"
        raise BadCertificate(f"No client takes this certificate: {why}.") from None


def _load_identity(server: ssl.SSLContext, text: str) -> None:
    """From a file that is on no disk: OpenSSL takes these from files only."""
    handle = os.memfd_create("identity")
    try:
        os.write(handle, text.encode())
        server.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True))
    for _ in range(_FLIGHTS):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()


def chain(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """From the leaf to the one that issued itself. BadCertificate where one is missing or is no authority."""
    found = [leaf]
    while not _issued(found[-1], found[-1]):
        if len(found) > len(others) + 1:
            raise BadCertificate("The certificates issue each other in a circle.")
        issuer = next((one for one in others if _issued(found[-1], one)), None)
        if issuer is None:
            name = found[-1].issuer.rfc4514_string()
            raise BadCertificate(f"The certificate of the authority {name} is not among the certificates.")
        if not _may_issue(issuer):
            raise BadCertificate(f"{issuer.subject.rfc4514_string()} is not an authority, and may not issue.")
        found.append(issuer)
    return found


def _issued(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _may_issue(one: x509.Certificate) -> bool:
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _builder(name: str, issuer: "str | x509.Name", lifetime: datetime.timedelta) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer) if isinstance(issuer, str) else issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_NAME])])


def _names(names: Iterable[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general(name) for name in names])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _alternatives(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found)


def _public(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.DER, form))  # type: ignore[attr-defined]


def _load_key(text: str) -> CertificateIssuerPrivateKeyTypes:
    return serialization.load_pem_private_key(text.encode(), None)  # type: ignore[return-value]


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
