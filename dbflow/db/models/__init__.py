# SPDX-License-Identifier: Apache-2.0
"""What dbflow keeps in SQL. Times are UTC without a zone; ids are UUIDs as text."""

from dbflow.db.models.accounts import AuditPeriod, Notification, Quota
from dbflow.db.models.backups import Backup, BackupStrategy, ProjectKey
from dbflow.db.models.base import Base, LongText, Time, new_id, utcnow
from dbflow.db.models.catalogue import Configuration, ConfigurationParameter, Datastore, DatastoreVersion
from dbflow.db.models.instances import Health, Instance, Orphan, RootHistory, Sample
from dbflow.db.models.modules import InstanceModule, Module
from dbflow.db.models.operations import Conductor, IdempotencyKey, Operation
from dbflow.db.models.tls import Authority, InstanceTls

__all__ = [
    "AuditPeriod",
    "Authority",
    "Backup",
    "BackupStrategy",
    "Base",
    "Conductor",
    "Configuration",
    "ConfigurationParameter",
    "Datastore",
    "DatastoreVersion",
    "Health",
    "IdempotencyKey",
    "Instance",
    "InstanceModule",
    "InstanceTls",
    "LongText",
    "Module",
    "Notification",
    "Operation",
    "Orphan",
    "ProjectKey",
    "Quota",
    "RootHistory",
    "Sample",
    "Time",
    "new_id",
    "utcnow",
]
