# SPDX-License-Identifier: Apache-2.0
"""The local cloud: each instance is a guest agent process, a database server, a directory and an address here."""

from dbflow.cloud.local.driver import LocalCloud

__all__ = ["LocalCloud"]
