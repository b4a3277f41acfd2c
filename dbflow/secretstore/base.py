# SPDX-License-Identifier: Apache-2.0
"""What a secret store can do."""

import abc

LARGEST = 1 << 18
"""Bytes of a secret: more than any certificate with its chain."""


class SecretError(Exception):
    """The reference is none, or the store refuses; ``str()`` is fit for a user to read."""


class NoSuchSecret(SecretError):
    """Nothing is there, or it is not for this user."""


class StoreUnavailable(SecretError):
    """The store does not answer."""


class SecretStore(abc.ABC):
    """Of the users of all projects; each reads what is their own."""

    @abc.abstractmethod
    def read(self, reference: str, project_id: str, token: str) -> bytes:
        """The secret that a user of the project refers to, whose ``token`` the request came with. SecretError."""
