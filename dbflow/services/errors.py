# SPDX-License-Identifier: Apache-2.0
"""Why a request is refused, in words for its user. The API turns each into its wire's body."""

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """``code`` is the HTTP status; ``str()`` is fit for the user and holds no secret."""

    code = 400

    def __init__(
        self, message: str, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        """``more``: members of the error's body beside its code and message."""
        super().__init__(message)
        self.headers = dict(headers or {})
        self.more = dict(more or {})


class BadRequest(ServiceError):
    """The request makes no sense; the message names the field."""


class NotAuthenticated(ServiceError):
    """No token, a bad one, or (as Trove has it) not an administrator's."""

    code = 401


class Forbidden(ServiceError):
    """The policy does not let this user do it."""

    code = 403


class NotFound(ServiceError):
    """No such thing, or not this project's."""

    code = 404


class NotAcceptable(ServiceError):
    """The client takes none of the types that can be answered."""

    code = 406


class Conflict(ServiceError):
    """Another request is at the same thing."""

    code = 409


class OverLimit(ServiceError):
    """A quota, a rate or a size is exceeded (413, as Trove has it)."""

    code = 413


class BadMediaType(ServiceError):
    """The body is of a type that is not understood."""

    code = 415


class Unprocessable(ServiceError):
    """Not in the state the thing is in."""

    code = 422


class Unsupported(ServiceError):
    """Not with this datastore or in this release."""

    code = 501


class Unavailable(ServiceError):
    """Something dbflow needs is away; trying again may help."""

    code = 503
