# SPDX-License-Identifier: Apache-2.0
"""instance.ssl: another certificate, another mode; on an instance and its replicas, or on none of them.

Replicas come first: they believe their source's authority of before, too, so they follow it throughout. Undone in the
opposite order, that stays true.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db import tls
from dbflow.operations import State
from dbflow.status import Task
from dbflow.tlsmode import ENFORCING, Mode
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.certificates import SignCertificate, TakeIdentity
from guest.tasks.tls import ChangeCertificate, CheckCertified, CheckTls, RequestCertificate

_SOURCE, _REPLICA = "2b1f60a5-6c1d-4a5e-9a39-0d2a2f1f6f10", "9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a01"
EXAMPLE: Arguments = {
    "tls": {
        "mode": "builtin",
        "certificate": None,
        "expires": None,
        "container_ref": None,
        "password_ref": None,
    },
    "change": "5f1c4c54-5a3f-4b53-9f0e-6f4e4b0d7a11",
    "instance_ids": [_REPLICA, _SOURCE],
    "old_tls": {_REPLICA: None, _SOURCE: None},
    "holder_id": _SOURCE,
}


def ended(session: Session, ending: Ending) -> None:
    """As it was asked for; or as before with a fault, or ERROR with a fault where that was not to be had."""
    arguments = ending.arguments
    for instance_id, before in arguments["old_tls"].items():
        if ending.state == State.SUCCESS:
            tls.put(session, instance_id, previous=_previous(before), **_columns(arguments["tls"]))
        elif ending.state == State.FAILED:
            tls.doubt(session, instance_id, before)
        else:
            tls.put_back(session, instance_id, before)
    tls.forget(session, arguments["holder_id"])
    for number, instance_id in enumerate(arguments["instance_ids"], 1):
        settle(session, _of(ending, number), "Changing TLS", done={}, undone={}, instance_id=instance_id)


def _of(ending: Ending, number: int) -> Ending:
    """What it came to on one of the servers: one that was not changed, or was changed back, is as before."""
    if ending.state == State.FAILED and ending.left is not None and _step(number) not in ending.left:
        return dataclasses.replace(ending, state=State.REVERTED)
    return ending


def _columns(wanted: dict[str, Any]) -> dict[str, Any]:
    """Of a certificate of dbflow's own, the step that issued it has recorded the rest."""
    columns = {name: wanted[name] for name in ("mode", "container_ref", "password_ref")}
    if wanted["mode"] == Mode.BUILTIN:
        return columns
    return columns | {
        "certificate": wanted["certificate"],
        "expires": tls.moment(wanted["expires"]),
        "authority_id": None,
        "known": None,
    }


def _previous(before: dict[str, Any] | None) -> dict[str, Any]:
    """Of an instance that had no certificate, the next best."""
    found = before or {"mode": Mode.BUILTIN, "container_ref": None, "password_ref": None}
    return {name: found[name] for name in ("mode", "container_ref", "password_ref")}


@operation("instance.ssl", title="Change TLS", task=Task.UPDATING, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Every server is asked before the first one is changed; the source is the last. A set whose source insists must
    replicate by TLS, so all of it must have certificates by then."""
    wanted = arguments["tls"] or {}
    numbered = list(_numbered(arguments))
    flow = linear_flow.Flow("instance.ssl")
    check = CheckCertified if wanted.get("mode") in ENFORCING and len(numbered) > 1 else CheckTls
    flow.add(unordered_flow.Flow("checks").add(*(check(f"check-tls-{n}", inject=one) for n, one, _ in numbered)))
    own = wanted.get("mode") == Mode.BUILTIN
    if own:
        flow.add(unordered_flow.Flow("certificates").add(*(_signed(*each) for each in numbered)))
    else:
        flow.add(TakeIdentity())
    changes = [_changed(n, one, own) for n, one, _ in numbered]
    flow.add(unordered_flow.Flow("replicas").add(*changes[:-1]))
    return flow.add(*changes[-1:])


def _numbered(arguments: Arguments) -> Iterator[tuple[int, dict[str, str], Any]]:
    """(number, what its steps take, how its TLS was)"""
    old = arguments["old_tls"] or {}
    for number, instance_id in enumerate(arguments["instance_ids"] or (), 1):
        yield number, {"instance_id": instance_id}, old.get(instance_id)


def _signed(number: int, one: dict[str, str], old_tls: Any) -> tf_flow.Flow:
    csr = f"csr_{number}"
    return linear_flow.Flow(f"certificate-{number}").add(
        RequestCertificate(f"request-certificate-{number}", inject=one, provides=csr),
        SignCertificate(
            f"sign-certificate-{number}",
            inject={**one, "old_tls": old_tls},
            rebind={"csr": csr},
            provides=f"identity_{number}",
        ),
    )


def _changed(number: int, one: dict[str, str], own: bool) -> ChangeCertificate:
    rebind = {"identity": f"identity_{number}"} if own else {}
    return ChangeCertificate(_step(number), inject=one, rebind=rebind)


def _step(number: int) -> str:
    return f"change-certificate-{number}"
