# SPDX-License-Identifier: Apache-2.0
"""The plug-ins under test; the shared suite runs against each."""

from tests.contract.kits.base import Kit, LoginRefused, Refused
from tests.contract.kits.mariadb import MariaDBKit

KITS: tuple[Kit, ...] = (MariaDBKit(),)

__all__ = ["KITS", "Kit", "LoginRefused", "Refused"]
