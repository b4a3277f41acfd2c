# SPDX-License-Identifier: Apache-2.0
"""oslo.messaging's part: the drivers that [oslo_messaging_notifications] names, and the way to their broker.

Its Notifier is not used: that gives a message a new id whenever it is sent, and says nothing when it could not be sent.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from oslo_config import cfg
from stevedore import named

from dbflow.notifications.switch import GROUP, apart

Message = Mapping[str, Any]


class NotSent(Exception):
    """The broker did not take it."""


class Sender:
    """Sends by every driver that is configured; made when it is first used, since oslo.messaging is slow to import.
    One thread uses it."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._drivers: list[Any] = []
        self._way: _Way | None = None

    def send(self, message: Message, context: Mapping[str, Any]) -> None:
        """Return when the broker has it. NotSent."""
        if self._way is None:
            self._way = self._open()
        self._way.error = None
        for driver in self._drivers:
            # At once or not at all: whoever calls tries again, and can be stopped meanwhile.
            driver.notify(dict(context), dict(message), message["priority"], 0)
        if self._way.error is not None:
            raise NotSent(f"{type(self._way.error).__name__}: {self._way.error}") from self._way.error

    def _open(self) -> "_Way":
        messaging = _oslo_messaging()
        # Of every message that could not be sent it would write all, with a trace; the relay says that there are some.
        logging.getLogger("oslo_messaging.notify.messaging").setLevel(logging.CRITICAL)
        own = apart(self._conf)
        way = _Way(messaging.get_notification_transport(own))
        drivers: Any = named.NamedExtensionManager(
            "oslo.messaging.notify.drivers",
            names=own[GROUP].driver,
            invoke_on_load=True,
            invoke_args=(own,),
            invoke_kwds={"topics": own[GROUP].topics, "transport": way},
            on_missing_entrypoints_callback=_missing,
        )
        self._drivers = [extension.obj for extension in drivers]
        return way


class _Way:
    """A transport that remembers why a message could not be sent: the drivers write that to the log, and go on."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send_notification(self, *args: Any, **kwargs: Any) -> None:
        try:
            self._transport._send_notification(*args, **kwargs)
        except Exception as error:
            self.error = error
            raise


def list_opts() -> Any:
    """oslo.messaging's options, for the sample configuration."""
    _oslo_messaging()
    from oslo_messaging import opts

    return opts.list_opts()


def _oslo_messaging() -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)  # else it wants eventlet
    import oslo_messaging

    return oslo_messaging


def _missing(names: Iterable[str]) -> None:
    raise LookupError(f"[{GROUP}] driver: there is no {', '.join(sorted(names))}")
