# SPDX-License-Identifier: Apache-2.0
"""instance.renew_certificate: a new certificate of dbflow's own, before the old one ends or its authority does.

No user asked for it, so none is told when it fails: the old certificate counts, whatever the server has, and the leader
tries again.
"""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.db import tls
from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import release
from flows.registry import Arguments, Ending, operation
from flows.tasks.certificates import SignCertificate
from guest.tasks.tls import RenewCertificate, RequestCertificate

EXAMPLE: Arguments = {"change": "5f1c4c54-5a3f-4b53-9f0e-6f4e4b0d7a11", "old_tls": None}


def ended(session: Session, ending: Ending) -> None:
    """Whatever it came to, the server has a certificate."""
    if ending.state != State.SUCCESS:
        tls.doubt(session, ending.target_id, ending.arguments["old_tls"])
    release(session, ending, task=Task.NONE)


@operation("instance.renew_certificate", title="Renew a certificate", task=Task.NONE, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """With a new key."""
    return linear_flow.Flow("instance.renew_certificate").add(
        RequestCertificate("request-certificate", provides="csr"),
        SignCertificate(),
        RenewCertificate("change-certificate"),
    )
