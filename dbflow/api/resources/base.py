# SPDX-License-Identifier: Apache-2.0
"""What every resource module needs."""

from flask_restx import Namespace

PROJECT = "/v1.0/<project>"


def namespace(name: str, description: str, path: str = "") -> Namespace:
    """Resources below ``/v1.0/<project>`` + ``path``."""
    return Namespace(name, description=description, path=f"{PROJECT}{path}")
