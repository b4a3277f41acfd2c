# SPDX-License-Identifier: Apache-2.0
"""The authorities that issue the certificates of database servers: each project has its own.

So who trusts the authority of a project trusts nobody else's servers, even where a client does not look at names. The
newest that may sign does; all that have not expired are made known. A new one is only known at first, until clients
have it, and the old one stays known until nothing of it is in use.
"""

import dataclasses
import datetime
import hashlib
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy import SQLColumnExpression
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from dbflow import certificates
from dbflow.crypto import Keyring
from dbflow.db.models import Authority, Instance, InstanceTls, Operation, new_id, utcnow
from dbflow.operations import ENDED
from dbflow.tlsmode import Mode

CHANGES = ("instance.ssl", "instance.renew_certificate")
"""Kinds that give a server another certificate."""


@dataclasses.dataclass(frozen=True)
class Times:
    """How long what is good."""

    certificate: datetime.timedelta
    renew_before: datetime.timedelta
    authority: datetime.timedelta
    overlap: datetime.timedelta

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Times":
        """``[tls]``; nothing is renewed in the first two thirds of its life, and the next authority signs before what
        the last one signs would be cut short by its end."""
        days = (conf.tls.certificate_days, conf.tls.renew_before_days, conf.tls.authority_days, conf.tls.overlap_days)
        certificate, renew_before, authority, overlap = (datetime.timedelta(days=count) for count in days)
        certificate, overlap = min(certificate, authority / 4), min(overlap, authority / 4)
        return cls(certificate, min(renew_before, certificate / 3), authority, overlap)


@dataclasses.dataclass(frozen=True)
class Issued:
    """A certificate, and who is known beside it."""

    certificate: str
    authorities: str
    """PEM: all that are made known."""
    authority_id: str
    known: str
    expires: datetime.datetime


def of_project(session: Session, project_id: str, *, lock: bool = False) -> Sequence[Authority]:
    """Those that have not expired, the newest first."""
    query = sa.select(Authority).where(Authority.project_id == project_id, Authority.expires > utcnow())
    query = query.order_by(Authority.number.desc())
    return session.scalars(query.with_for_update() if lock else query).all()


def signing(found: Iterable[Authority]) -> Authority | None:
    """The one of these that signs now."""
    now = utcnow()
    return next((one for one in found if one.signs_from <= now), None)


def known(found: Iterable[Authority]) -> str:
    """Stands for a set of authorities."""
    return hashlib.sha256(" ".join(sorted(one.id for one in found)).encode()).hexdigest()


def issue(session: Session, keyring: Keyring, times: Times, instance: Instance, csr: str) -> Issued:
    """A certificate for an instance's server, with its addresses and its host name; the first of a project makes the
    authority. BadCertificate."""
    found = of_project(session, instance.project_id)
    signer = signing(found)
    if signer is None:
        make(session, keyring, times, instance.project_id, _last(session, instance.project_id) + 1)
        found = of_project(session, instance.project_id, lock=True)
        signer = signing(found) or found[0]
    signer = _believed(session, times, instance, found) or signer
    names = [one["address"] for one in instance.addresses]
    names += [instance.hostname] if instance.hostname else []
    authority = certificates.Authority(signer.certificate, keyring.unseal(signer.sealed))
    made = certificates.issue(authority, csr, instance.id, names, times.certificate)
    together = certificates.together(*(one.certificate for one in found))
    return Issued(made, together, signer.id, known(found), certificates.show(made).expires)


def unaware(known: str, mine: SQLColumnExpression[str], source: SQLColumnExpression[str | None]) -> sa.Exists:
    """Whether, in the set of replicas of the instance with that id and that source, another one than it does not know
    all authorities."""
    other, of_other = aliased(Instance), aliased(InstanceTls)
    return sa.exists().where(
        sa.or_(other.replica_of_id == mine, other.replica_of_id == source, other.id == source),
        other.id != mine,
        other.deleted.is_(False),
        of_other.instance_id == other.id,
        of_other.mode == Mode.BUILTIN,
        sa.or_(of_other.known.is_(None), of_other.known != known),
    )


def _believed(session: Session, times: Times, instance: Instance, found: Sequence[Authority]) -> Authority | None:
    """The authority of the certificate that the instance has, while there is one in its set that may not believe a
    newer one, and as long as it is good; None: any may sign."""
    row = session.get(InstanceTls, instance.id)
    others = unaware(known(found), sa.literal(instance.id), sa.literal(instance.replica_of_id, sa.String))
    if row is None or not session.scalar(sa.select(others)):
        return None
    now = utcnow()
    last = next((one for one in found if one.id == row.authority_id and one.signs_from <= now), None)
    return last if last is not None and last.expires > now + times.certificate else None


def make(
    session: Session,
    keyring: Keyring,
    times: Times,
    project_id: str,
    number: int,
    after: datetime.timedelta = datetime.timedelta(0),
) -> None:
    """An authority that signs ``after`` so long; fine when somebody else has just made that one."""
    now = utcnow()
    fresh = certificates.new_authority(f"dbflow {project_id[:36]} {number}", times.authority)
    row = Authority(
        id=new_id(),
        project_id=project_id,
        number=number,
        certificate=fresh.certificate,
        sealed=keyring.seal(fresh.key),
        signs_from=now + after,
        expires=now + times.authority,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return


def rotate(session: Session, keyring: Keyring, times: Times, project_id: str, after: datetime.timedelta) -> None:
    """Make the next authority, unless there is one that waits for its time. One that signs at once is always a new
    one: the key of one that waits may have been stolen with the others."""
    last = _last(session, project_id)
    newest = session.scalar(sa.select(Authority).where(Authority.project_id == project_id, Authority.number == last))
    if after and newest is not None and newest.signs_from > utcnow():
        newest.signs_from = min(newest.signs_from, utcnow() + after)
        return
    make(session, keyring, times, project_id, last + 1, after)


def _last(session: Session, project_id: str) -> int:
    """0 where there was none."""
    return session.scalar(sa.select(sa.func.max(Authority.number)).where(Authority.project_id == project_id)) or 0


def ageing(session: Session, times: Times) -> list[str]:
    """Projects whose newest authority ends before what it would sign, and so is to be rotated; none in the first half
    of its life."""
    due = utcnow() + min(times.certificate + times.overlap, times.authority / 2)
    query = sa.select(Authority.project_id).group_by(Authority.project_id).having(sa.func.max(Authority.expires) < due)
    return list(session.scalars(query))


class Changing(Exception):
    """What is in use is not known now: certificates of the project are being changed."""


def prune(session: Session, project_id: str) -> int:
    """Forget the authorities that are older than the one that signs, and of which nothing is in use; how many.
    Changing."""
    found = of_project(session, project_id, lock=True)
    of_now = Operation.kind.in_(CHANGES), Operation.state.not_in(ENDED), Operation.project_id == project_id
    if session.scalar(sa.select(Operation.id).where(*of_now).limit(1)) is not None:
        raise Changing(f"certificates of project {project_id} are being changed; ask again when that has ended")
    signer = signing(found)
    expired = sa.select(Authority).where(Authority.project_id == project_id, Authority.expires <= utcnow())
    found = [*found, *session.scalars(expired)]
    used = set(
        session.scalars(
            sa.select(InstanceTls.authority_id)
            .join(Instance, Instance.id == InstanceTls.instance_id)
            .where(Instance.project_id == project_id, Instance.deleted.is_(False), InstanceTls.mode == Mode.BUILTIN)
        )
    )
    idle = [one for one in found if signer is not None and one.number < signer.number and one.id not in used]
    for one in idle:
        session.delete(one)
    return len(idle)
