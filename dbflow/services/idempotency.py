# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key: a POST that is sent again gets the answer of the first and does nothing more.

The key's row says how far the first request came. Unanswered, nothing accepted: it may still be running, so
the second is told to wait, and takes over when the first must be dead. Unanswered, operation accepted (that is
written in the operation's own transaction): the answer is made from the operation, or from what was made at once
without one. Answered: the answer.
"""

import dataclasses
import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dbflow.crypto import BadSeal
from dbflow.db.models import IdempotencyKey, utcnow
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import Conflict, Unprocessable


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the first request was told."""

    status: int
    body: str
    headers: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Accepted:
    """What the first request asked for was accepted, but its answer is lost."""

    operation_id: str | None
    """None: its target needed none."""
    target_id: str


class Claim:
    """One request's hold of a key: until :meth:`answer` or :meth:`forget`."""

    def __init__(self, services: Services, caller: Caller, key: str, since: datetime.datetime) -> None:
        self._services = services
        self._where = _is(caller, key) & (IdempotencyKey.created == since) & IdempotencyKey.status.is_(None)

    def accepted(self, session: Session, operation_id: str | None, target_id: str) -> None:
        """In the operation's transaction, or its target's. Conflict when somebody took the key over, so that neither
        is made."""
        note = self._services.keyring.seal({"operation": operation_id, "target": target_id})
        if not self._set(session, self._where & IdempotencyKey.answer.is_(None), answer=note):
            raise Conflict("Another request with this Idempotency-Key took over.")

    @contended
    def answer(self, answer: Answer) -> None:
        """Keep the answer for whoever asks again."""
        with self._services.database.write() as session:
            sealed = self._services.keyring.seal(dataclasses.asdict(answer))
            self._set(session, self._where, status=answer.status, answer=sealed)

    @contended
    def refuse(self, answer: Answer) -> None:
        """Refused in the end: that is kept of a request that was accepted first. What did nothing is forgotten."""
        with self._services.database.write() as session:
            sealed = self._services.keyring.seal(dataclasses.asdict(answer))
            accepted = self._where & IdempotencyKey.answer.is_not(None)
            if not self._set(session, accepted, status=answer.status, answer=sealed):
                self._forget(session)

    @contended
    def forget(self) -> None:
        """The request failed and did nothing: the key may be used again."""
        with self._services.database.write() as session:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        session.execute(sa.delete(IdempotencyKey).where(self._where, IdempotencyKey.answer.is_(None)))

    def _set(self, session: Session, where: sa.ColumnElement[bool], **values: Any) -> bool:
        done = session.execute(sa.update(IdempotencyKey).where(where).values(**values))
        return bool(cast(Any, done).rowcount == 1)


@contended
def claim(services: Services, caller: Caller, key: str, fingerprint: str) -> Claim | Answer | Accepted:
    """Claim a key for this request, or learn what became of the first one.

    Unprocessable when the key came with another request, Conflict while the first is being answered.
    """
    now = utcnow()
    row = IdempotencyKey(
        project_id=caller.project_id, user_id=caller.user_id, key=key, fingerprint=fingerprint, created=now
    )
    try:
        with services.database.write() as session:
            session.add(row)
        return Claim(services, caller, key, now)
    except IntegrityError:
        return _second(services, caller, key, fingerprint, now)


def _second(
    services: Services, caller: Caller, key: str, fingerprint: str, now: datetime.datetime
) -> Claim | Answer | Accepted:
    with services.database.write() as session:
        row = session.scalars(sa.select(IdempotencyKey).where(_is(caller, key)).with_for_update()).one_or_none()
        if row is None:
            raise Conflict("The first request with this Idempotency-Key was just refused.", {"Retry-After": "1"})
        if row.fingerprint != fingerprint:
            raise Unprocessable("This Idempotency-Key was used with another request.")
        if row.answer is not None:
            return _known(services, row)
        if (now - row.created).total_seconds() < services.conf.api.idempotency_takeover:
            raise Conflict("The first request with this Idempotency-Key is still running.", {"Retry-After": "1"})
        row.created = now
    return Claim(services, caller, key, now)


def _known(services: Services, row: IdempotencyKey) -> Answer | Accepted:
    try:
        known = services.keyring.unseal(row.answer or "")
    except BadSeal:
        raise Conflict("The answer kept for this Idempotency-Key can no longer be read.") from None
    if row.status is None:
        return Accepted(known["operation"], known["target"])
    return Answer(known["status"], known["body"], known["headers"])


def _is(caller: Caller, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        IdempotencyKey.project_id == caller.project_id,
        IdempotencyKey.user_id == caller.user_id,
        IdempotencyKey.key == key,
    )
