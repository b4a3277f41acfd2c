# SPDX-License-Identifier: Apache-2.0
"""Certificates that an owner of an instance could bring, in the PKCS#12 data in which they are kept."""

import dataclasses
import datetime
import pathlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from dbflow import certificates
from dbflow.certificates import Authority

YEAR = datetime.timedelta(days=365)


@dataclasses.dataclass
class Owner:
    """An owner with an authority."""

    authority: Authority = dataclasses.field(default_factory=lambda: certificates.new_authority("owner", YEAR))

    def certified(self, *names: str, lifetime: datetime.timedelta = YEAR) -> tuple[str, str]:
        """(key, certificate) of the names."""
        key = certificates.new_key()
        made = certificates.issue(self.authority, certificates.request(key, names[0]), names[0], names, lifetime)
        return key, made

    def container(
        self,
        *names: str,
        password: str = "",
        lifetime: datetime.timedelta = YEAR,
        whole: bool = True,
        key: str | None = None,
    ) -> bytes:
        """PKCS#12 data; with the authority's certificate, if ``whole``. ``key``: another one than the certificate's."""
        mine, made = self.certified(*names, lifetime=lifetime)
        authority = [certificates.load(self.authority.certificate)] if whole else []
        return packed(key or mine, certificates.load(made), authority, password)

    def client(self, directory: pathlib.Path) -> dict[str, str]:
        """Arguments of pymysql.connect for a client with a certificate of this authority."""
        key, made = self.certified("client.test")
        (directory / "client.key").write_text(key)
        (directory / "client.pem").write_text(made)
        return {"ssl_key": str(directory / "client.key"), "ssl_cert": str(directory / "client.pem")}


def packed(key: str, leaf: x509.Certificate, others: list[x509.Certificate], password: str = "") -> bytes:
    """PKCS#12 data of these."""
    loaded: Any = serialization.load_pem_private_key(key.encode(), None)
    seal: Any = serialization.NoEncryption()
    if password:
        seal = serialization.BestAvailableEncryption(password.encode())
    if not isinstance(loaded, EllipticCurvePrivateKey | rsa.RSAPrivateKey) or loaded.public_key() == leaf.public_key():
        return pkcs12.serialize_key_and_certificates(b"server", loaded, leaf, others, seal)
    # The library makes none whose key and certificate do not belong together unless it is told less.
    return pkcs12.serialize_key_and_certificates(b"server", loaded, None, [leaf, *others], seal)


def signed_by(key: str, issuer: x509.Certificate) -> tuple[str, x509.Certificate]:
    """(key, certificate) that the owner of an issuer's key has made, whether that may issue or not."""
    signing: Any = serialization.load_pem_private_key(key.encode(), None)
    mine = certificates.new_key()
    asked = x509.load_pem_x509_csr(certificates.request(mine, "db.test").encode())
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(issuer.subject)
    made = made.public_key(asked.public_key()).serial_number(x509.random_serial_number())
    return mine, made.not_valid_before(now).not_valid_after(now + YEAR).sign(signing, hashes.SHA256())


def self_signed(name: str) -> tuple[str, x509.Certificate]:
    """(key, certificate) of RSA, as `openssl req -x509` makes it."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + YEAR)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode(), made.sign(key, hashes.SHA256())
