# SPDX-License-Identifier: Apache-2.0
"""Certificates that dbflow issued are renewed in time: before they end, when their project has a new authority, and
when there is one to be made known. So are the authorities."""

import datetime
import logging
import time

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.orm import Session

from dbflow import authorities, operations
from dbflow.authorities import Times
from dbflow.crypto import Keyring
from dbflow.db import tls
from dbflow.db.models import Authority, Health, Instance, InstanceTls, Operation, new_id, utcnow
from dbflow.db.session import Database
from dbflow.operations import ENDED
from dbflow.status import Service, Task
from dbflow.tlsmode import Mode

LOG = logging.getLogger(__name__)
KIND = "instance.renew_certificate"
_AGAIN = datetime.timedelta(minutes=30)
"""After an attempt."""
_BATCH = 20
"""Instances in a round: a new authority is for all of a project's."""
_LATE = datetime.timedelta(days=7)
_AT_REST = (
    Instance.deleted.is_(False),
    Instance.operation_id.is_(None),
    Instance.task.in_([Task.NONE, Task.RESTART_REQUIRED]),
)
_TOLD_EVERY = 3600.0
"""Seconds between two warnings of certificates that end within that time."""


class CertificateKeeper:
    """Of one database. An instance is renewed when nothing else is done with it and its guest is heard."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, keyring: Keyring) -> None:
        self._times, self._expiry = Times.from_conf(conf), conf.messaging.heartbeat_expiry
        self._database, self._keyring = database, keyring
        self._told: float | None = None

    def keep(self) -> int:
        """One round: how many are being renewed from now on. Their jobs are posted with those that wait."""
        with self._database.read() as session:
            ageing = authorities.ageing(session, self._times)
        for project_id in ageing:
            with self._database.write() as session:
                authorities.rotate(session, self._keyring, self._times, project_id, self._times.overlap)
        with self._database.read() as session:
            due = self._due(session)
            self._warn(session)
        return sum(self._renew(instance_id) for instance_id in due)

    def _due(self, session: Session) -> list[str]:
        """The ones that end first, then those of projects whose authorities have changed: each is made to know all of
        them, and when a whole set of replicas does, its members get certificates of the newest."""
        ending = InstanceTls.expires < utcnow() + self._times.renew_before
        found = list(session.scalars(self._idle().where(ending).order_by(InstanceTls.expires).limit(_BATCH)))
        for project_id in session.scalars(sa.select(Authority.project_id).distinct()):
            if len(found) >= _BATCH:
                break
            there = authorities.of_project(session, project_id)
            signer = authorities.signing(there)
            if signer is None:
                continue
            known = authorities.known(there)
            others = authorities.unaware(known, Instance.id, Instance.replica_of_id)
            stale = sa.or_(
                InstanceTls.known.is_(None),
                InstanceTls.known != known,
                sa.and_(InstanceTls.authority_id != signer.id, ~others),
            )
            query = self._idle().where(Instance.project_id == project_id, stale, ~ending)
            found += session.scalars(query.order_by(Instance.id).limit(_BATCH - len(found)))
        return found

    def _warn(self, session: Session) -> None:
        """Of what nobody has renewed; owners' certificates are renewed by them."""
        now = time.monotonic()
        if self._told is not None and now - self._told < _TOLD_EVERY:
            return
        self._told = now
        query = (
            sa.select(InstanceTls.instance_id)
            .join(Instance, Instance.id == InstanceTls.instance_id)
            .where(Instance.deleted.is_(False), InstanceTls.expires < utcnow() + min(_LATE, self._times.renew_before))
        )
        late = session.scalars(query.order_by(InstanceTls.expires).limit(_BATCH)).all()
        if late:
            LOG.warning("the certificates of these instances end soon, and were not renewed: %s", ", ".join(late))

    def _idle(self) -> sa.Select[str]:
        """Ids of instances that may be renewed now, and were not tried a moment ago."""
        since = utcnow() - datetime.timedelta(seconds=self._expiry)
        recent = sa.or_(Operation.state.not_in(ENDED), Operation.finished > utcnow() - _AGAIN)
        tried = sa.exists().where(Operation.target_id == Instance.id, Operation.kind == KIND, recent)
        return (
            sa.select(Instance.id)
            .join(InstanceTls, InstanceTls.instance_id == Instance.id)
            .join(Health, Health.instance_id == Instance.id)
            .where(
                InstanceTls.mode == Mode.BUILTIN,
                *_AT_REST,
                Health.service_status.in_([Service.HEALTHY, Service.RUNNING]),
                Health.seen > since,
                ~tried,
            )
        )

    def _renew(self, instance_id: str) -> bool:
        """Unless somebody has it by now."""
        with self._database.write() as session:
            query = sa.select(Instance).where(Instance.id == instance_id, *_AT_REST)
            instance = session.scalar(query.with_for_update())
            row = session.get(InstanceTls, instance_id)
            if instance is None or row is None or row.mode != Mode.BUILTIN:
                return False
            operation = operations.accept(
                session,
                self._keyring,
                KIND,
                target_id=instance.id,
                project_id=instance.project_id,
                user_id=instance.user_id,
                request_id=None,
                arguments={"change": new_id(), "old_tls": tls.kept(session, instance.id)},
            )
            session.flush()
            instance.operation_id = operation.id
        return True
