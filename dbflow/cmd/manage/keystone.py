# SPDX-License-Identifier: Apache-2.0
"""keystone register"""

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbflow.cmd.manage.context import Context, ManageError
from dbflow.cmd.manage.verbs import Commands, Noun

if TYPE_CHECKING:
    from dbflow.registration import Account

_PATH = "/v1.0/%(project_id)s"


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    noun = Noun(commands, shared, "keystone", "what the cloud's Keystone knows of dbflow")
    verb = noun.verb(
        "register",
        make,
        "put dbflow into the catalog, make its user and the roles of its policies; a second time changes nothing",
    )
    verb.add_argument(
        "--os-cloud", metavar="NAME", help="an administrator's in clouds.yaml; default: the OS_ variables"
    )
    verb.add_argument("--name", default="dbflow", help="of the service")
    verb.add_argument("--region", help="default: [api] region")
    verb.add_argument("--public-url", metavar="URL", help="where users find the API; default: [api] public_endpoint")
    verb.add_argument("--internal-url", metavar="URL", help="where other services do; default: as users")
    verb.add_argument("--admin-url", metavar="URL", help="where administrators do; default: as other services")
    verb.add_argument(
        "--set-password", action="store_true", help="give dbflow's user, if it is there, [keystone_authtoken] password"
    )


def make(context: Context, arguments: argparse.Namespace) -> None:
    """Says of each thing whether it was there, or is made or changed now."""
    urls = _urls(context, arguments)
    account = _account(context)
    import openstack  # takes a second, which every other command would take, too

    from dbflow.registration import Registration

    with _explained(), openstack.connect(cloud=arguments.os_cloud) as cloud:
        registration = Registration(cloud.identity)
        try:
            registration.roles()
            if account is None:
                context.note("[keystone_authtoken] names no user with a password: no user is made")
            else:
                registration.account(account, cloud.session, set_password=arguments.set_password)
            service = registration.service(arguments.name)
            registration.endpoints(service, arguments.region or context.conf.api.region, urls)
        finally:  # what was done is told also when the rest fails
            context.table(["Kind", "Name", "State"], registration.steps)


def _urls(context: Context, arguments: argparse.Namespace) -> dict[str, str]:
    public = arguments.public_url or context.conf.api.public_endpoint
    if not public:
        raise ManageError("--public-url is needed, or [api] public_endpoint: where users find the API")
    internal = arguments.internal_url or public
    urls = {"public": public, "internal": internal, "admin": arguments.admin_url or internal}
    for interface, url in urls.items():
        if not url.startswith(("http://", "https://")):
            raise ManageError(f"the {interface} URL must begin with http:// or https://: {url}")
    return {interface: url.rstrip("/").removesuffix("/v1.0") + _PATH for interface, url in urls.items()}


def _account(context: Context) -> "Account | None":
    """None where somebody else makes it, or where it is an application credential."""
    from keystoneauth1 import exceptions

    from dbflow.cmd import authtoken
    from dbflow.registration import Account

    try:
        group, _ = authtoken.load(context.conf)
    except exceptions.ClientException as error:
        raise ManageError(f"[keystone_authtoken]: {error}") from None
    if group.auth_type not in ("password", "v3password") or not (group.username and group.password):
        return None
    missing = [name for name in ("auth_url", "project_name") if not group[name]]
    if missing:
        raise ManageError(f"[keystone_authtoken] {missing[0]} is not set")
    return Account(
        f"{group.auth_url.rstrip('/').removesuffix('/v3')}/v3",
        group.username,
        group.password,
        group.user_domain_name or group.user_domain_id or "default",
        group.project_name,
        group.project_domain_name or group.project_domain_id or "default",
    )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import ConfigException, SDKException

    from dbflow.registration import Conflict

    try:
        yield
    except ConfigException as error:
        raise ManageError(f"the administrator's login: {error}") from None
    except Conflict as error:
        raise ManageError(str(error)) from None
    except (ClientException, SDKException) as error:
        raise ManageError(f"Keystone: {error}") from None
