# SPDX-License-Identifier: Apache-2.0
"""What dbflow keeps in SQL. Times are UTC without a zone; ids are UUIDs as text."""

import datetime
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# MySQL's DATETIME keeps whole seconds unless told otherwise; the order of operations needs more.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def utcnow() -> datetime.datetime:
    """Now, UTC, without a zone (as every column here keeps it)."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def new_id() -> str:
    """A fresh UUID as text."""
    return str(uuid.uuid4())


class Base(DeclarativeBase):
    """All of dbflow's tables but the flow tables, whose layout is TaskFlow's (see persistence)."""

    type_annotation_map = {
        str: sa.String(255),
        datetime.datetime: Time,
        dict[str, Any]: sa.JSON,
        list[Any]: sa.JSON,
    }


Id = sa.String(36)


class Datastore(Base):
    """A kind of database, such as mariadb."""

    __tablename__ = "datastores"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    default_version_id: Mapped[str | None] = mapped_column(Id)
    deleted: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """It has no versions any more, and is there for what was made of them; created again, it is the same one."""


class DatastoreVersion(Base):
    """A version of a datastore that an instance can be made of."""

    __tablename__ = "datastore_versions"
    __table_args__ = (sa.UniqueConstraint("datastore_id", "name", "version"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    datastore_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastores.id"))
    name: Mapped[str]
    version: Mapped[str]
    """The number, such as 10.11.14; ``name`` is what users call it."""
    manager: Mapped[str]
    """Which plug-in serves it."""
    image_id: Mapped[str | None]
    image_tags: Mapped[list[Any]] = mapped_column(default=list)
    packages: Mapped[list[Any]] = mapped_column(default=list)
    active: Mapped[bool] = mapped_column(default=True)
    registry_ext: Mapped[str | None]
    repl_strategy: Mapped[str | None]
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """It is there for the deleted instances that were made of it; created again, it is the same one."""


class ConfigurationParameter(Base):
    """A parameter that configuration groups of a version may set: the version's own, so that an administrator can
    change what it takes (see dbflow.datastores.parameters)."""

    __tablename__ = "configuration_parameters"
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    type: Mapped[str] = mapped_column(sa.String(16))
    restart_required: Mapped[bool] = mapped_column(default=False)
    bounds: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"min", "max", "words", "several"}, whatever there is; numbers go beyond SQL's integers."""
    deleted: Mapped[bool] = mapped_column(default=False)
    """Taken away by an administrator: not to be made known again."""


class Configuration(Base):
    """A configuration group: values of parameters, for any number of instances of one version."""

    __tablename__ = "configurations"
    __table_args__ = (sa.Index("configurations_of_project", "project_id", "created", "id"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(sa.Text)
    project_id: Mapped[str]
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Parameter -> value."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The one operation that may change it now, and its instances with it."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class Instance(Base):
    """A database server and what belongs to it."""

    __tablename__ = "instances"
    __table_args__ = (
        sa.Index("instances_of_project", "project_id", "deleted", "created", "id"),
        sa.Index("instances_by_created", "deleted", "created", "id"),
        # Covers the quota's sums, which every create makes.
        sa.Index("instances_in_quota", "project_id", "deleted", "ram", "quota_volume"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    project_id: Mapped[str]
    user_id: Mapped[str]
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime.datetime | None]
    task: Mapped[str] = mapped_column(default="NONE")
    """What the control plane is doing with it: a name of dbflow.status.Task."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The one operation that may change it now; the lock of DESIGN's "one running operation an instance"."""
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    flavor_id: Mapped[str]
    ram: Mapped[int] = mapped_column(default=0)
    """MiB it counts for in the quota: while a resize runs, the larger of the two flavors'."""
    volume_size: Mapped[int | None]
    """GiB; None where there is no volume."""
    quota_volume: Mapped[int] = mapped_column(default=0)
    """GiB it counts for in the quota: while a resize runs, the larger of the two sizes."""
    volume_type: Mapped[str | None]
    region: Mapped[str | None]
    availability_zone: Mapped[str | None]
    locality: Mapped[str | None]
    access: Mapped[dict[str, Any]] = mapped_column(default=dict)
    nics: Mapped[list[Any]] = mapped_column(default=list)
    addresses: Mapped[list[Any]] = mapped_column(default=list)
    """[{"address": "127.0.3.1", "type": "private"|"public", "network": id?}, …]"""
    hostname: Mapped[str | None]
    server_id: Mapped[str | None]
    volume_id: Mapped[str | None]
    port_id: Mapped[str | None]
    configuration_id: Mapped[str | None] = mapped_column(Id, index=True)
    replica_of_id: Mapped[str | None] = mapped_column(Id, index=True)
    fault: Mapped[dict[str, Any] | None]
    """{"message", "details", "created"}: why the last operation failed, in words for its user."""
    guest_key: Mapped[str | None] = mapped_column(sa.Text)
    """The instance's message key, sealed by the keyring."""
    restoring_id: Mapped[str | None] = mapped_column(Id, index=True)
    """The backup that it is being made from, which may not be deleted meanwhile."""
    restart_required: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Its server runs with other values of parameters than it would start with; where nothing goes on, its task is
    RESTART_REQUIRED then."""
    replication: Mapped[str | None] = mapped_column(sa.Text)
    """Of a source of replicas: {"password"} of the account that they log in with, sealed by the keyring."""


class Health(Base):
    """The last heartbeat of each guest; a table of its own because it is written all the time."""

    __tablename__ = "instance_health"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    seen: Mapped[datetime.datetime]
    at: Mapped[float] = mapped_column(sa.Double, default=0.0)
    """When the guest said so, by its own clock (seconds since 1970): the order of what it says."""
    service_status: Mapped[str]
    """A name of dbflow.status.Service."""
    datastore_version: Mapped[str | None]
    agent_version: Mapped[str | None]
    volume_used: Mapped[float | None]
    """GiB"""
    volume_total: Mapped[float | None]
    """GiB"""
    position: Mapped[str | None]
    """Replication position (GTID, LSN)."""
    load: Mapped[dict[str, Any]] = mapped_column(default=dict)
    in_flight: Mapped[int] = mapped_column(default=0)


class Sample(Base):
    """How full and how busy an instance was: every so often one of its heartbeats, for a day (see db.samples)."""

    __tablename__ = "instance_samples"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its place in the day: a day later it is written over."""
    at: Mapped[datetime.datetime]
    volume_used: Mapped[float | None]
    """GiB"""
    load: Mapped[dict[str, Any]]


class Operation(Base):
    """What a user asked for: one job, one flow. Also the outbox and the audit trail."""

    __tablename__ = "operations"
    __table_args__ = (
        sa.Index("operations_by_state", "state", "created"),
        sa.Index("operations_of_project", "project_id", "created"),
        sa.Index("operations_of_target", "target_id", "created"),
        # Administrators look at those of all projects, newest first.
        sa.Index("operations_by_created", "created", "id"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(sa.String(64))
    version: Mapped[int]
    """Version of the flow's definition when it was accepted."""
    target_type: Mapped[str] = mapped_column(sa.String(32))
    target_id: Mapped[str] = mapped_column(Id)
    project_id: Mapped[str]
    user_id: Mapped[str]
    request_id: Mapped[str | None]
    priority: Mapped[str] = mapped_column(sa.String(16), default="NORMAL")
    state: Mapped[str] = mapped_column(sa.String(16), default="ACCEPTED")
    """A name of dbflow.operations.State."""
    requested: Mapped[str | None] = mapped_column(sa.String(16))
    """What somebody wants of it while it runs: "cancel" or "suspend"."""
    after_id: Mapped[str | None] = mapped_column(Id, index=True)
    """Not to be posted before this operation has ended."""
    epoch: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """The fencing token of the claim that may write (DESIGN: fence)."""
    attempts: Mapped[int] = mapped_column(default=0)
    """How often it was claimed."""
    conductor: Mapped[str | None]
    """Who claimed it last."""
    arguments: Mapped[str] = mapped_column(LongText)
    """JSON, sealed by the keyring: may hold passwords."""
    flow_uuid: Mapped[str] = mapped_column(Id, unique=True, default=new_id)
    error: Mapped[str | None] = mapped_column(sa.Text)
    """Why it failed, in words for its user; None while all is well."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    started: Mapped[datetime.datetime | None]
    finished: Mapped[datetime.datetime | None]
    since: Mapped[datetime.datetime | None]
    """From when its deadline counts, where that is not its creation: when it was resumed, retried or last expired."""
    released_epoch: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The claim that an administrator wants to be given up."""
    notice: Mapped[dict[str, Any] | None]
    """What it was announced with, for the notification of its end; None where nobody is told."""
    members: Mapped[list[Any] | None]
    """Ids of the other instances that it has to itself, where there are any."""
    note: Mapped[str | None] = mapped_column(sa.Text)
    """What its user should know of it, beside its kind."""


class Conductor(Base):
    """Conductor processes, as they report themselves."""

    __tablename__ = "conductors"
    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    leader: Mapped[bool] = mapped_column(default=False)
    flows: Mapped[int] = mapped_column(default=0)
    started: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    seen: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    orphans: Mapped[int | None]
    """How many it reports; only of the leader."""
    draining: Mapped[bool] = mapped_column(default=False)
    """Whether it is to claim nothing more; an administrator's wish, which it obeys."""


class Quota(Base):
    """A project's own limits; resources without a row have the configured default. Also the row that a
    reservation locks (resource "") so that two creates at the limit can't both win."""

    __tablename__ = "quotas"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    hard_limit: Mapped[int]


class IdempotencyKey(Base):
    """The answer once given to a POST that carried an Idempotency-Key."""

    __tablename__ = "idempotency_keys"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    """SHA-256 of method, path and body: the same key with another request is refused."""
    status: Mapped[int | None]
    """None while the first request is still being answered."""
    answer: Mapped[str | None] = mapped_column(LongText)
    """Body and headers, sealed."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow, index=True)


class Orphan(Base):
    """Something that carries an instance's name in the cloud or at the broker, and that no instance needs; or a deleted
    backup's in the object store."""

    __tablename__ = "orphans"
    kind: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    """server, volume, port, messages, objects"""
    instance_id: Mapped[str] = mapped_column(primary_key=True)
    """Of objects, the backup's id."""
    first_seen: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    last_seen: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class RootHistory(Base):
    """Who first enabled root on an instance, and when."""

    __tablename__ = "root_history"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str]
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class Authority(Base):
    """Who issues the certificates of a project's servers; the newest that may sign does."""

    __tablename__ = "authorities"
    __table_args__ = (sa.UniqueConstraint("project_id", "number", name="authorities_of_project"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    project_id: Mapped[str]
    number: Mapped[int]
    """From 1, in the order in which they were made."""
    certificate: Mapped[str] = mapped_column(sa.Text)
    """PEM."""
    sealed: Mapped[str] = mapped_column(sa.Text)
    """Its private key, sealed by the keyring."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    signs_from: Mapped[datetime.datetime]
    """Until then it is only made known to clients."""
    expires: Mapped[datetime.datetime] = mapped_column(index=True)


class InstanceTls(Base):
    """How an instance's server uses TLS. None of an instance that was never given a certificate."""

    __tablename__ = "instance_tls"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    mode: Mapped[str] = mapped_column(sa.String(16))
    """A name of dbflow.tlsmode.Mode."""
    certificate: Mapped[str | None] = mapped_column(LongText)
    """PEM: the server's, and those between it and its authority."""
    expires: Mapped[datetime.datetime | None] = mapped_column(index=True)
    authority_id: Mapped[str | None] = mapped_column(Id)
    """Who issued it; None: its owner brought it."""
    known: Mapped[str | None] = mapped_column(sa.String(64))
    """Which authorities the machine knows (see dbflow.authorities.known)."""
    container_ref: Mapped[str | None] = mapped_column(sa.Text)
    password_ref: Mapped[str | None] = mapped_column(sa.Text)
    """Where the owner keeps certificate and key, and the password of that."""
    previous: Mapped[dict[str, Any] | None]
    """{"mode", "container_ref", "password_ref"} before the last change."""
    sealed: Mapped[str | None] = mapped_column(LongText)
    """What the operation that changes it gives the guests, private key and all; sealed, and only while it runs."""


class Backup(Base):
    """A copy of an instance's data in the object store, or the difference to an earlier one."""

    __tablename__ = "backups"
    __table_args__ = (
        sa.Index("backups_of_project", "project_id", "deleted", "updated"),
        sa.Index("backups_of_instance", "instance_id", "deleted", "updated"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(sa.Text)
    project_id: Mapped[str]
    user_id: Mapped[str]
    instance_id: Mapped[str | None] = mapped_column(Id)
    """None of one that was registered: it was made elsewhere. Instances go, their backups stay."""
    parent_id: Mapped[str | None] = mapped_column(Id, index=True)
    """The backup that this one is the difference to."""
    state: Mapped[str] = mapped_column(sa.String(16), default="NEW")
    """A name of dbflow.status.BackupState."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The one operation that may change it now."""
    made_by: Mapped[str | None] = mapped_column(Id)
    """The operation that made it."""
    strategy: Mapped[str] = mapped_column(sa.String(32))
    """How it is made: a name of dbflow.datastores.Strategy."""
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    container: Mapped[str]
    prefix: Mapped[str]
    """Of the names of its objects in the container."""
    registered: Mapped[bool] = mapped_column(default=False)
    """Made elsewhere: its objects are not ours to delete."""
    location: Mapped[str | None] = mapped_column(sa.String(1024))
    """URL of its manifest."""
    checksum: Mapped[str | None] = mapped_column(sa.String(64))
    """SHA-256 of its manifest, in hex."""
    size: Mapped[float | None] = mapped_column(sa.Double)
    """GiB that the data took on the volume."""
    stored: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Bytes of its segments in the object store."""
    position: Mapped[dict[str, Any] | None]
    """Where an incremental one goes on, as the datastore has it: {"to_lsn": "46871", "gtid": "0-1-7"}."""
    error: Mapped[str | None] = mapped_column(sa.Text)
    """Why it failed, in words."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime.datetime | None]
    internal: Mapped[bool] = mapped_column(default=False)
    """A copy that replicas are made from: nobody sees it, and it goes with the operation that made it."""


class BackupStrategy(Base):
    """Where, and how, the backups of a project or of one instance are made when a request does not say."""

    __tablename__ = "backup_strategies"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True, default="")
    """Empty for the whole project."""
    container: Mapped[str]
    strategy: Mapped[str | None] = mapped_column(sa.String(32))
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class ProjectKey(Base):
    """The secret that the keys of a project's backups are derived from."""

    __tablename__ = "project_keys"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[str] = mapped_column(sa.Text)
    """By the keyring."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class Module(Base):
    """Something that is put on instances: statements, a licence key, whatever its type makes of its contents."""

    __tablename__ = "modules"
    __table_args__ = (sa.Index("modules_of_project", "project_id", "deleted", "name"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    type: Mapped[str] = mapped_column(sa.String(64))
    """A name of dbflow.modules."""
    description: Mapped[str | None] = mapped_column(sa.Text)
    project_id: Mapped[str | None]
    """None: every project's."""
    datastore_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("datastores.id"))
    """None: for instances of any."""
    datastore_version_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    contents: Mapped[str] = mapped_column(LongText)
    """Base64, sealed by the keyring."""
    md5: Mapped[str] = mapped_column(sa.String(32))
    """Of the base64 text, as Trove has it."""
    auto_apply: Mapped[bool] = mapped_column(default=False)
    visible: Mapped[bool] = mapped_column(default=True)
    live_update: Mapped[bool] = mapped_column(default=False)
    """Whether its contents may change, and it may be deleted, while instances have it."""
    priority_apply: Mapped[bool] = mapped_column(default=False)
    apply_order: Mapped[int] = mapped_column(default=5)
    is_admin: Mapped[bool] = mapped_column(default=False)
    """Only administrators may change it."""
    place: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    """Digest of name, type, project and datastore, of which there can be only one; None once it is deleted."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The operation that gives it to its instances again; it stays as it is meanwhile."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False)
    """It is there for the instances that have it still."""


class InstanceModule(Base):
    """That an instance has a module, or is being given it."""

    __tablename__ = "instance_modules"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    module_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("modules.id"), primary_key=True, index=True)
    md5: Mapped[str | None] = mapped_column(sa.String(32))
    """Of the contents that it has; None before it has any, and where it could not be got rid of again."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class Notification(Base):
    """An event that is to be sent, in order of its id; it goes when it was sent."""

    __tablename__ = "notifications"
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    message_id: Mapped[str] = mapped_column(Id, default=new_id)
    """The same however often it is sent."""
    event_type: Mapped[str] = mapped_column(sa.String(64))
    publisher_id: Mapped[str]
    context: Mapped[dict[str, Any]]
    """Whose request it comes of."""
    payload: Mapped[str] = mapped_column(LongText)
    """JSON, without secrets."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class AuditPeriod(Base):
    """Until when it was told which instances exist: the lock and the memory of who tells it."""

    __tablename__ = "audit_periods"
    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    until: Mapped[datetime.datetime]
