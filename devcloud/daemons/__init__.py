# SPDX-License-Identifier: Apache-2.0
"""Launchers of the services' own code: several of a project's programs in one process, a fifth of the processor time
and memory of as many processes. ``DEVCLOUD_PARTS`` names the programs."""

import os


def parts() -> list[str]:
    """Which programs of a project are to run."""
    return os.environ["DEVCLOUD_PARTS"].split()
