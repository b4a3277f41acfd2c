# SPDX-License-Identifier: Apache-2.0
"""Whole stacks of dbflow for tests: real processes on either set of parts, set up by configuration files only."""

from tests.functional.stack.base import Stack
from tests.functional.stack.client import Client, mysql, new_password, operation_of, query
from tests.functional.stack.embedded import EmbeddedStack
from tests.functional.stack.real import RealStack

__all__ = ["Client", "EmbeddedStack", "RealStack", "Stack", "mysql", "new_password", "operation_of", "query"]
