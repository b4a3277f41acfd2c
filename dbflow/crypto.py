# SPDX-License-Identifier: Apache-2.0
"""Sealing: secrets at rest (Fernet keys of a file) and messages in flight (AES-256-GCM, one key an instance)."""

import base64
import binascii
import json
import logging
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dbflow.keyfile import KeyFile

LOG = logging.getLogger(__name__)


class BadSeal(Exception):
    """A sealed text or message that these keys did not make, or that was made for something else."""


class Keyring:
    """Seals secrets at rest. The first key seals, every key unseals, so keys can be rotated.

    One that was read from a file reads it again when it was replaced.
    """

    def __init__(self, keys: list[bytes]) -> None:
        """``keys``: url-safe base64 Fernet keys, newest first; at least one (ValueError)."""
        self._file: KeyFile | None = None
        self._stamp: tuple[int, ...] = ()
        self._unreadable: tuple[int, ...] | None = None
        """The stamp of the file that could not be read; () when there was none."""
        self._use(keys)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Keyring":
        """Those of a key file. Refuses one that others may read (PermissionError)."""
        file = KeyFile(path)
        stamp = file.stamp()
        made = cls(file.keys())
        made._file, made._stamp = file, stamp
        return made

    @staticmethod
    def create_file(path: str | os.PathLike[str]) -> None:
        """Write a new key file, mode 0600; FileExistsError when there is one."""
        KeyFile(path).create()

    def seal(self, value: Any) -> str:
        """JSON-able value -> ASCII text."""
        self._refresh()
        return self._fernet.encrypt(json.dumps(value).encode()).decode()

    def unseal(self, text: str) -> Any:
        """What :meth:`seal` was given; BadSeal when no key fits."""
        self._refresh()
        try:
            return json.loads(self._fernet.decrypt(text.encode()))
        except InvalidToken:
            raise BadSeal("sealed with a key that is not in the key file") from None

    def reseal(self, text: str) -> str:
        """The same secret, sealed with the newest key; the text itself when it is. BadSeal when no key fits."""
        self._refresh()
        try:
            self._newest.decrypt(text.encode())
        except InvalidToken:
            pass
        else:
            return text
        try:
            return self._fernet.rotate(text.encode()).decode()
        except InvalidToken:
            raise BadSeal("sealed with a key that is not in the key file") from None

    def _use(self, keys: list[bytes]) -> None:
        if not keys:
            raise ValueError("a keyring needs at least one key")
        fernets = [Fernet(key) for key in keys]
        self._newest, self._fernet = fernets[0], MultiFernet(fernets)

    def _refresh(self) -> None:
        if self._file is None:
            return
        stamp: tuple[int, ...] = ()
        try:
            stamp = self._file.stamp()
            if stamp != self._stamp:
                self._use(self._file.keys())
                self._stamp = stamp
            self._unreadable = None
        except (OSError, ValueError) as error:  # half copied, say: go on with what was read before
            if stamp != self._unreadable:
                LOG.warning("the key file %s can't be read: %s", self._file.path, type(error).__name__)
            self._unreadable = stamp


def new_message_key() -> bytes:
    """A key for the messages of one instance: 32 random bytes."""
    return AESGCM.generate_key(bit_length=256)


def broker_password(key: bytes) -> str:
    """A guest's password at the broker, from its message key: nothing more to be stored, and nothing learnt of the
    key by who sees it."""
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"dbflow broker login")
    return base64.urlsafe_b64encode(derive.derive(key)).decode().rstrip("=")


def seal_message(key: bytes, body: Any, *bound: str) -> dict[str, str]:
    """Encrypt and authenticate a JSON-able message body.

    ``bound`` (direction, instance, message type, request, asker …) is not sent: the receiver must name the
    same values, so a message can't be passed off as another one.
    """
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, json.dumps(body).encode(), json.dumps(bound).encode())
    return {"sealed": base64.b64encode(nonce + sealed).decode()}


def unseal_message(key: bytes, message: Any, *bound: str) -> Any:
    """What :func:`seal_message` was given; BadSeal for anything else."""
    try:
        raw = base64.b64decode(message["sealed"], validate=True)
        return json.loads(AESGCM(key).decrypt(raw[:12], raw[12:], json.dumps(bound).encode()))
    except (InvalidTag, KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise BadSeal(f"message refused: {type(error).__name__}") from None
