# SPDX-License-Identifier: Apache-2.0
"""The pieces of flows that give a server a certificate of dbflow's own."""

from collections.abc import Mapping
from typing import Any

from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from flows.tasks.certificates import SignCertificate
from guest.tasks.tls import InstallCertificate, RequestCertificate


def certified(mark: str = "", one: Mapping[str, Any] | None = None) -> tf_flow.Flow:
    """Ask on the machine, sign here, install there: of a new machine. ``mark`` ends the names of steps where there are
    several; ``one`` is what they take."""
    take = dict(one or {})
    csr, identity = f"csr{mark}".replace("-", "_"), f"identity{mark}".replace("-", "_")
    return linear_flow.Flow(f"certificate{mark}").add(
        RequestCertificate(f"request-certificate{mark}", inject=take, provides=csr),
        SignCertificate(f"sign-certificate{mark}", inject=take, rebind={"csr": csr}, provides=identity),
        InstallCertificate(
            f"install-certificate{mark}", inject={**take, "change": FIRST}, rebind={"identity": identity}
        ),
    )


FIRST = "first"
"""The name of the change that gives a new server its certificate."""
