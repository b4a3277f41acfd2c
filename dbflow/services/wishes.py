# SPDX-License-Identifier: Apache-2.0
"""What of a request only the cloud can judge: networks, zones, types of volumes, public addresses."""

from dbflow.cloud.base import CloudError, Unsuitable, Wish
from dbflow.services.context import Services
from dbflow.services.errors import BadRequest, Unavailable


def must_be_granted(services: Services, wish: Wish) -> None:
    """BadRequest naming the field when the cloud can't grant it. Asked before a transaction: the cloud may be slow."""
    try:
        services.check_wish(wish)
    except Unsuitable as error:
        raise BadRequest(f"{error} ({error.field})") from None
    except CloudError:
        raise Unavailable("The cloud does not tell what it can do just now.", {"Retry-After": "5"}) from None
