# SPDX-License-Identifier: Apache-2.0
"""What is true of all unit tests."""

import gc
from collections.abc import Iterator

import pytest
from flask_restx import Namespace

from dbflow.api import resources


@pytest.fixture(scope="module", autouse=True)
def _forget_applications() -> Iterator[None]:
    """Namespaces are of modules, and keep every application that was made of them: hundreds of them, in these tests,
    through which Python's collector of garbage would go again and again."""
    yield
    for module in vars(resources).values():
        namespace = getattr(module, "ns", None)
        if isinstance(namespace, Namespace):
            namespace.apis.clear()
    gc.collect()
