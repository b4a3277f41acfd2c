# SPDX-License-Identifier: Apache-2.0
"""MariaDB only, whatever other plug-ins there are."""

import pytest

from tests.contract.kits.mariadb import MariaDBKit


@pytest.fixture(scope="session")
def kit() -> MariaDBKit:
    return MariaDBKit()
