# SPDX-License-Identifier: Apache-2.0
"""Asking a guest and waiting for its answer: the calls that Trove answers synchronously."""

from collections.abc import Mapping
from typing import Any, Protocol


class GuestCalls(Protocol):
    """What carries a call to a guest; dbflow.messaging's dispatcher is one."""

    def call(self, instance_id: str, task: str, arguments: Mapping[str, Any], timeout: float) -> Any:
        """Run the guest task of that class path, and return what it returns.

        Raises BrokerUnavailable, GuestUnreachable and GuestRefused of dbflow.messaging.errors.
        """
