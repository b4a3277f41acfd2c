# SPDX-License-Identifier: Apache-2.0
"""How a database server uses TLS: Trove's words."""

import enum


class Mode(enum.StrEnum):
    """Each offers TLS."""

    BUILTIN = "builtin"
    """With a certificate of dbflow's own authority."""
    BASIC = "basic"
    """With the owner's certificate, as the others."""
    ENFORCED = "enforced"
    """Nobody may connect without it."""
    MTLS = "mtls"
    """And every account needs a certificate of the owner's authority."""


ENFORCING = frozenset({Mode.ENFORCED, Mode.MTLS})
OWN = frozenset({Mode.BASIC, Mode.ENFORCED, Mode.MTLS})
"""Modes with a certificate that the owner brings."""
