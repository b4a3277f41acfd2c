# SPDX-License-Identifier: Apache-2.0
"""PKCS#12 data that are to harm whoever reads them."""

import datetime
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from dbflow import certificates
from dbflow.certificates import BadCertificate
from dbflow.unpacking import unpack
from tests.certificates import YEAR, Owner, packed


def _parts(content: bytes) -> list[bytes]:
    """The elements of DER that stand side by side."""
    found = []
    while content:
        end = sum(_place(content))
        found.append(content[:end])
        content = content[end:]
    return found


def _place(element: bytes) -> tuple[int, int]:
    """(bytes of its header, bytes of its value)"""
    if element[1] < 0x80:
        return 2, element[1]
    header = 2 + (element[1] & 0x7F)
    return header, int.from_bytes(element[2:header], "big")


def _sequence(content: bytes) -> bytes:
    count = len(content)
    size = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return b"\x30" + (size if count < 0x80 else bytes([0x80 | len(size)]) + size) + content


def with_rounds(data: bytes, rounds: int) -> bytes:
    """The same with another count of rounds for its checksum, which comes out wrong, after all of them."""
    version, contents, checksum = _parts(data[_place(data)[0] :])
    digest, salt, *_ = _parts(checksum[_place(checksum)[0] :])
    count = b"\x02\x04" + rounds.to_bytes(4, "big")
    return _sequence(version + contents + _sequence(digest + salt + count))


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
    data = Owner().container("127.0.0.9", password="pw")
    begun = time.monotonic()
    with pytest.raises(BadCertificate, match="not with this password"):
        unpack(with_rounds(data, 2**31 - 1), b"pw")
    assert 2 < time.monotonic() - begun < 20, "it was tried, and not to its end"


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
