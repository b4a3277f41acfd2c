# SPDX-License-Identifier: Apache-2.0
"""Certificates: what authorities issue, and what owners bring."""

import datetime
import pathlib
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12 as made

from dbflow import certificates, pkcs12
from dbflow.certificates import BadCertificate
from tests.certificates import YEAR, Owner, packed, self_signed, signed_by

SOON = datetime.timedelta(days=1)


def handshake(directory: pathlib.Path, key: str, certificate: str, trusted: str, name: str) -> str:
    """Of two ends of OpenSSL in memory: the server's name as the client has checked it."""
    (directory / "server.pem").write_text(key + certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / "server.pem")
    client = ssl.create_default_context(cadata=trusted)
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(ours, theirs, server_hostname=name)
    answering = server.wrap_bio(theirs, ours, server_side=True)
    for _ in range(4):
        for end in (asking, answering):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return asking.version() or ""


def test_what_an_authority_issues_is_what_clients_want(tmp_path: pathlib.Path) -> None:
    owner = Owner()
    key, certificate = owner.certified("127.0.0.9", "db.test")
    shown = certificates.show(certificate)
    assert (shown.cn, shown.san) == ("127.0.0.9", ("127.0.0.9", "db.test"))
    assert certificates.fits(certificate, key)
    assert not certificates.fits(certificate, certificates.new_key())
    trusted = owner.authority.certificate
    for name in ("127.0.0.9", "db.test"):
        assert handshake(tmp_path, key, certificate, trusted, name) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(tmp_path, key, certificate, trusted, "127.0.0.10")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        handshake(tmp_path, key, certificate, Owner().authority.certificate, "db.test")


def test_a_request_says_nothing_but_its_key() -> None:
    authority = Owner().authority
    with pytest.raises(BadCertificate, match="no request"):
        certificates.issue(authority, "rubbish", "i", ["127.0.0.1"], YEAR)
    request = certificates.request(certificates.new_key(), "somebody-else")
    assert certificates.show(certificates.issue(authority, request, "i", ["127.0.0.1"], YEAR)).cn == "i"


def test_nothing_outlives_its_authority() -> None:
    authority = certificates.new_authority("short", SOON)
    request = certificates.request(certificates.new_key(), "i")
    issued = certificates.show(certificates.issue(authority, request, "i", ["127.0.0.1"], YEAR))
    assert issued.expires <= certificates.show(authority.certificate).expires


def test_together_each_is_once() -> None:
    one, two = Owner().authority.certificate, Owner().authority.certificate
    assert certificates.together(one + two, two, one) == one + two


def test_what_an_owner_brings() -> None:
    owner = Owner()
    for password in ("", "pa ss"):
        data = owner.container("127.0.0.9", password=password)
        brought = pkcs12.read(data, password.encode() or None)
        assert certificates.show(brought.certificate).cn == "127.0.0.9"
        assert certificates.fits(brought.certificate, brought.key)
        assert brought.authorities == owner.authority.certificate
        assert brought.issued
        assert brought.key not in repr(brought)


def test_a_certificate_that_issued_itself() -> None:
    key, certificate = self_signed("db.test")
    brought = pkcs12.read(packed(key, certificate, []), None)
    assert brought.certificate == brought.authorities
    assert not brought.issued


def test_what_no_server_can_use() -> None:
    owner, stranger = Owner(), Owner()
    sealed = owner.container("a", password="right")
    weak = rsa.generate_private_key(65537, 1024)
    bits = weak.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    key, leaf = owner.certified("a")
    not_an_authority = certificates.load(stranger.certified("b")[1])
    bare = made.serialize_key_and_certificates(b"x", None, certificates.load(leaf), None, serialization.NoEncryption())
    expired = owner.container("a", lifetime=datetime.timedelta(seconds=-1))
    cases = [
        (b"rubbish", None, "no PKCS#12"),
        (sealed, b"wrong", "not with this password"),
        (sealed, None, "not with this password"),
        (bare, None, "no certificate with its private key"),
        (owner.container("a", whole=False), None, "authority CN=owner is not among"),
        (packed(key, certificates.load(leaf), [not_an_authority]), None, "is not among"),
        (expired, None, "expired at"),
        (owner.container("a", key=bits), None, "no certificate with its private key"),
    ]
    for data, password, told in cases:
        with pytest.raises(BadCertificate, match=told):
            pkcs12.read(data, password)


def test_an_issuer_that_may_not_issue() -> None:
    key, root = self_signed("no authority")
    mine, leaf = signed_by(key, root)
    with pytest.raises(BadCertificate, match="CN=no authority is not an authority"):
        pkcs12.read(packed(mine, leaf, [root]), None)
