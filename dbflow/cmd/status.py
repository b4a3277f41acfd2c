# SPDX-License-Identifier: Apache-2.0
"""dbflow-status upgrade check: is this deployment ready for this release's services?"""

import sys
from collections.abc import Sequence
from typing import TypeVar

import sqlalchemy as sa
from keystoneauth1 import exceptions
from oslo_config import cfg
from oslo_upgradecheck import common_checks
from oslo_upgradecheck.upgradecheck import Code, Result, UpgradeCommands
from oslo_upgradecheck.upgradecheck import main as run

from dbflow import conf
from dbflow.api.auth import TokenFileAuth
from dbflow.cmd import authtoken
from dbflow.cmd.cloudcheck import checked
from dbflow.crypto import BadSeal, Keyring
from dbflow.db import migrate
from dbflow.db.models import DatastoreVersion, Operation
from dbflow.db.session import Database
from dbflow.messaging.connection import EMBEDDED
from dbflow.operations import ENDED, State, catalog
from dbflow.policy import unknown_rules
from dbflow.registration import TYPE

_Row = TypeVar("_Row")


class Checks(UpgradeCommands):
    """Each check answers SUCCESS, WARNING or FAILURE with what to do about it."""

    def __init__(self, options: cfg.ConfigOpts) -> None:
        self._conf = options

    def configuration(self) -> Result:
        """Options fit each other."""
        options = self._conf
        if options.api.auth == "token_file":
            try:
                TokenFileAuth(options.api.token_file)
            except (OSError, ValueError, KeyError) as error:
                return Result(Code.FAILURE, f"[api] token_file: {error}")
        messaging = options.messaging
        embedded = messaging.url.startswith(EMBEDDED)
        doubts = []
        if options.coordination.driver == "embedded" and not embedded:
            doubts.append("[coordination] driver = embedded is for dbflow-standalone: each process has its own board.")
        if 3 * messaging.heartbeat_interval > messaging.heartbeat_expiry:
            doubts.append("[messaging] heartbeat_interval should be at most a third of heartbeat_expiry.")
        if not (embedded or messaging.management_url):
            doubts.append("[messaging] management_url is not set: all guests log in as url says.")
        return Result(Code.WARNING, " ".join(doubts)) if doubts else Result(Code.SUCCESS)

    def schema(self) -> Result:
        """The tables are those of this release."""
        try:
            found = migrate.current(self._conf.database.connection)
        except sa.exc.DBAPIError as error:
            return Result(Code.FAILURE, f"The database can't be read: {error.orig}")
        if found != migrate.head():
            return Result(Code.FAILURE, f"Version {found}, needed {migrate.head()}: run `dbflow-manage db sync`.")
        return Result(Code.SUCCESS)

    def keys(self) -> Result:
        """The key file can be read by its owner only, and unseals what is running."""
        try:
            keyring = Keyring.from_file(self._conf.security.key_file)
        except (OSError, ValueError) as error:
            return Result(Code.FAILURE, f"{error}. A new one: `dbflow-manage key generate`.")
        try:
            sealed = [operation.arguments for operation in self._running()]
        except sa.exc.DBAPIError:
            return Result(Code.WARNING, "The keys could be read, but not tried: see the schema check.")
        try:
            for text in sealed:
                keyring.unseal(text)
        except BadSeal:
            return Result(Code.FAILURE, "Running operations are sealed with a key that is not in the file.")
        return Result(Code.SUCCESS)

    def operations(self) -> Result:
        """Every operation that has not ended is of a kind and version that this release can go on with."""
        try:
            wanted = {(operation.kind, operation.version) for operation in self._running()}
        except sa.exc.DBAPIError:
            return Result(Code.WARNING, "The operations can't be read: see the schema check.")
        unknown = sorted(f"{kind} version {version}" for kind, version in wanted if not _known(kind, version))
        if unknown:
            return Result(
                Code.FAILURE, f"Unknown here: {', '.join(unknown)}. Let the old conductors end these operations first."
            )
        return Result(Code.SUCCESS)

    def policy(self) -> Result:
        """The policy file is YAML that can be read, and changes rules that there are."""
        found: Result = common_checks.check_policy_json(self, self._conf)
        if found.code is not Code.SUCCESS:
            return found
        try:
            unknown = unknown_rules(self._conf)
        except Exception as error:  # whatever oslo.policy or YAML makes of it
            return Result(Code.FAILURE, f"The policy file can't be read: {error}")
        if unknown:
            return Result(Code.WARNING, f"The policy file has rules that nothing asks for: {', '.join(unknown)}.")
        return Result(Code.SUCCESS)

    def keystone(self) -> Result:
        """dbflow can log in, and the catalog has its endpoint."""
        if self._conf.api.auth != "keystone":
            return Result(Code.SUCCESS)
        try:
            group, login = authtoken.load(self._conf)
            if login is None:
                return Result(Code.FAILURE, "[keystone_authtoken] auth_type is not set.")
            session = authtoken.session(group, login)
            found = session.get_endpoint(service_type=TYPE, region_name=self._conf.api.region)
        except (exceptions.Unauthorized, exceptions.OptionError) as error:
            return Result(Code.FAILURE, f"[keystone_authtoken]: {error}")
        except (exceptions.CatalogException, exceptions.EndpointNotFound):
            found = None
        except exceptions.ClientException as error:
            return Result(Code.WARNING, f"Keystone does not answer: {type(error).__name__}.")
        if found is None:
            where = f"of type {TYPE} in the region {self._conf.api.region}"
            return Result(Code.WARNING, f"No endpoint {where}: run `dbflow-manage keystone register`.")
        return Result(Code.SUCCESS)

    def cloud(self) -> Result:
        """dbflow may use the cloud, which has what the configuration and the versions of datastores name."""
        query = sa.select(DatastoreVersion).where(DatastoreVersion.active, DatastoreVersion.deleted.is_(False))
        try:
            versions = self._read(query.order_by(DatastoreVersion.manager, DatastoreVersion.version))
        except sa.exc.DBAPIError:
            return Result(Code.WARNING, "The versions of datastores can't be read: see the schema check.")
        return checked(self._conf, versions)

    def _running(self) -> Sequence[Operation]:
        """Parked (FAILED) ones too: they can be retried."""
        return self._read(sa.select(Operation).where(Operation.state.not_in(ENDED - {State.FAILED})))

    def _read(self, query: sa.Select[_Row]) -> Sequence[_Row]:
        database = Database.from_conf(self._conf)
        try:
            with database.read() as session:
                return session.scalars(query).all()
        finally:
            database.close()

    _upgrade_checks = (
        ("Configuration", configuration),
        ("Schema", schema),
        ("Keys", keys),
        ("Operations", operations),
        ("Policy", policy),
        ("Keystone", keystone),
        ("Cloud", cloud),
    )


def _known(kind: str, version: int) -> bool:
    try:
        catalog().graph(kind, version, None)
    except LookupError:
        return False
    return True


def main() -> int:
    """0 when all is well, 1 with warnings, 2 with failures, 255 when it could not be found out."""
    options = conf.register(cfg.ConfigOpts())
    return int(run(options, "dbflow", Checks(options), argv=sys.argv[1:]))
