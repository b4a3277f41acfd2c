# SPDX-License-Identifier: Apache-2.0
"""Databases as a service: Trove's API, every operation a resumable TaskFlow graph."""

import importlib.metadata

__version__ = importlib.metadata.version("dbflow")
