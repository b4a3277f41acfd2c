# SPDX-License-Identifier: Apache-2.0
"""Sphinx: `sphinx-build -W doc/source doc/build`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_ext"))

project = "dbflow"
author = "the dbflow authors"
extensions = ["drawn_flows"]
html_theme = "alabaster"
html_theme_options = {"description": "Databases as a service, every operation a resumable flow", "page_width": "1100px"}
