# SPDX-License-Identifier: Apache-2.0
"""Guests: the agents beside the databases, as they were heard last."""

from dbflow.console.page import Page
from dbflow.console.pages import instances

PAGE = Page("guests", "/guests", "mgmt:guests", "Guests", instances.look, ("table",), args=instances.ARGS)
