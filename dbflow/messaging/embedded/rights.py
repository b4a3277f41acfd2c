# SPDX-License-Identifier: Apache-2.0
"""Who may do what at the embedded broker: the control plane everything, a guest as little as at RabbitMQ."""

import dataclasses
import hmac
from collections.abc import Callable
from typing import Any

from dbflow.messaging.layout import Layout, guest_of, guest_user

CONTROL = "control"
"""The control plane's user."""


class Refused(Exception):
    """Not this user."""


@dataclasses.dataclass(frozen=True)
class GuestRights:
    """To write to the exchange *up* in its own name, and to read its own queue."""

    user: str
    exchange: str
    queue: str

    def check(self, frame: dict[str, Any]) -> None:
        """Raise Refused unless a guest may ask for this."""
        if frame["op"] == "publish":
            mine = frame["message"]["properties"].get("user_id") == self.user
            allowed = mine and frame["exchange"] == self.exchange
        else:
            allowed = frame["op"] in ("consume", "cancel") and frame["args"]["queue"] == self.queue
        if not allowed:
            raise Refused(f"{self.user} may not {frame['op']} that")


class Door:
    """Tells users by their passwords."""

    def __init__(self, secret: str, exchange: str, guest_password: Callable[[str], str]) -> None:
        """``guest_password(instance id)``; LookupError when there is no such guest."""
        self._secret, self._layout, self._guest_password = secret, Layout(exchange), guest_password

    def admit(self, user: str, password: str) -> GuestRights | None:
        """The rights of a guest, or None for the control plane. Refused, or what ``guest_password`` raises."""
        instance_id = guest_of(user)
        if instance_id is not None:
            _compare(password, self._guest_password(instance_id))
            return GuestRights(guest_user(instance_id), self._layout.up.name, self._layout.guest(instance_id).name)
        if user != CONTROL:
            raise Refused("no such user")
        _compare(password, self._secret)
        return None


def _compare(given: str, right: str) -> None:
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise Refused("wrong password")
