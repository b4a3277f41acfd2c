# SPDX-License-Identifier: Apache-2.0
"""What the control plane writes into the configuration directory of a new guest; guest.settings reads it."""

import base64
from collections.abc import Mapping

GUEST_FILE, KEY_FILE = "guest.conf", "message.key"
FENCED_FILE = "fenced"
"""There while nobody may write to the database, whatever the guest believes to be: the cloud puts it there."""
BEAT_INTERVAL = 2.0


def render(
    *,
    instance_id: str,
    manager: str,
    url: str,
    exchange: str,
    key: bytes,
    heartbeat_interval: float,
    beat_interval: float = BEAT_INTERVAL,
) -> dict[str, str]:
    """File name -> contents, both files secret (mode 0600).

    ``manager`` names the guest's datastore plug-in, ``url`` is the broker's as the guest reaches it, ``key`` the
    instance's message key. The guest says how it is every ``heartbeat_interval`` seconds, and that it is still at
    work on a request every ``beat_interval`` seconds (no longer than the control plane's ``messaging.resend``).
    """
    guest = _section("guest", {"instance_id": instance_id, "manager": manager})
    messaging = _section(
        "messaging",
        {
            "url": url,
            "exchange": exchange,
            "heartbeat_interval": str(heartbeat_interval),
            "beat_interval": str(beat_interval),
        },
    )
    return {
        GUEST_FILE: f"{guest}\n{messaging}",
        KEY_FILE: base64.urlsafe_b64encode(key).decode() + "\n",
    }


def _section(name: str, values: Mapping[str, str]) -> str:
    for option, value in values.items():
        if "\n" in value or "\r" in value:
            raise ValueError(f"{option} of a guest must be one line")
    lines = "".join(f"{option} = {value}\n" for option, value in values.items())
    return f"[{name}]\n{lines}"
