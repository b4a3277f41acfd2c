# SPDX-License-Identifier: Apache-2.0
"""PKCS#12 data that are to harm whoever reads them."""

import datetime
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from dbflow import certificates
from dbflow.certificates import BadCertificate
from dbflow.unpacking import unpack
from tests.certificates import YEAR, Owner, packed

ROUNDS, MANY = b"\x02\x03\x01\x00\x00", b"\x02\x03\x7f\xff\xff"
"""Integers of DER: 65,536 and 8,388,607."""


def test_it_is_what_the_owner_brought() -> None:
    owner = Owner()
    found = unpack(owner.container("127.0.0.9", password="pa ss"), b"pa ss")
    assert certificates.fits(found.certificate, found.key)
    assert (found.authorities, found.issued) == (owner.authority.certificate, True)
    assert found.expires == certificates.show(found.certificate).expires
    with pytest.raises(BadCertificate, match="not with this password"):
        unpack(owner.container("127.0.0.9", password="right"), b"wrong")


def test_a_password_that_the_library_does_not_survive() -> None:
    with pytest.raises(BadCertificate, match="not with this password"):
        unpack(Owner().container("127.0.0.9", password="ab"), b"a\0b")


def test_data_that_ask_for_more_work_than_anybody_has() -> None:
    key, leaf = Owner().certified("127.0.0.9")
    seal = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(65536)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(b"pw")
    )
    loaded: Any = serialization.load_pem_private_key(key.encode(), None)
    data = pkcs12.serialize_key_and_certificates(b"x", loaded, certificates.load(leaf), None, seal)
    assert ROUNDS in data
    begun = time.monotonic()
    with pytest.raises(BadCertificate):
        unpack(data.replace(ROUNDS, MANY), b"pw")
    assert time.monotonic() - begun < 30


def test_more_certificates_than_a_chain_has() -> None:
    owner = Owner()
    key, leaf = owner.certified("127.0.0.9")
    others = [certificates.load(Owner().authority.certificate) for _ in range(11)]
    with pytest.raises(BadCertificate, match="11 certificates beside the server's; 10 are the most"):
        unpack(packed(key, certificates.load(leaf), others), None)


def test_a_certificate_that_no_client_takes() -> None:
    """It is for clients only."""
    owner, key = Owner(), certificates.new_key()
    signing: Any = serialization.load_pem_private_key(owner.authority.key.encode(), None)
    issuer = certificates.load(owner.authority.certificate)
    now = datetime.datetime.now(datetime.UTC)
    mine: Any = serialization.load_pem_private_key(key.encode(), None)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")]))
        .issuer_name(issuer.subject)
        .public_key(mine.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + YEAR)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .sign(signing, hashes.SHA256())
    )
    with pytest.raises(BadCertificate, match="No client takes this certificate"):
        unpack(packed(key, leaf, [issuer]), None)
