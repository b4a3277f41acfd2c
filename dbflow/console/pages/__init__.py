# SPDX-License-Identifier: Apache-2.0
"""The pages of the console, one module each (two where a list and its things belong together)."""

from dbflow.console.page import Page
from dbflow.console.pages import backups, conductors, guests, instances, jobs, operation, operations, start

PAGES: tuple[Page, ...] = (
    start.PAGE,
    operations.PAGE,
    operation.PAGE,
    instances.PAGE,
    instances.ONE,
    backups.PAGE,
    jobs.PAGE,
    conductors.PAGE,
    guests.PAGE,
)
