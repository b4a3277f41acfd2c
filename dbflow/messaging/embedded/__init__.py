# SPDX-License-Identifier: Apache-2.0
"""The broker of standalone: a thread behind a Unix socket, reached through a kombu transport."""

from dbflow.messaging.embedded.broker import EmbeddedBroker

__all__ = ["EmbeddedBroker"]
