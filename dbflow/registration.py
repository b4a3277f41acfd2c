# SPDX-License-Identifier: Apache-2.0
"""What a Keystone must know of dbflow: its service and endpoints, its own user, and the roles that policies speak of.

Each step looks first and makes only what is missing, so that it may be cut off anywhere and be run again.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

TYPE = "database"
ROLES = ("reader", "member", "manager", "admin", "service")
"""Those of dbflow's policies, and the one that lets a service look at tokens."""
OWN_ROLES = ("service", "member")
"""Of dbflow's user in its own project: it looks at tokens, and owns servers, volumes and ports."""
THERE, MADE, CHANGED = "there", "made", "changed"


class Conflict(Exception):
    """What is there is not what was asked for, and is not dbflow's to change."""


@dataclasses.dataclass(frozen=True)
class Account:
    """dbflow's own user, as ``[keystone_authtoken]`` has it."""

    auth_url: str
    name: str
    password: str = dataclasses.field(repr=False)
    domain: str
    """Name or id."""
    project: str
    project_domain: str
    """Name or id."""


class Registration:
    """Registers with one Keystone; ``steps`` tells what was found and done: (kind, name, there | made | changed)."""

    def __init__(self, identity: Any) -> None:
        """``identity``: openstacksdk's proxy, of somebody who administers that Keystone."""
        self._identity = identity
        self.steps: list[tuple[str, str, str]] = []

    def roles(self) -> None:
        """Make the roles that are missing. Nobody is given one."""
        for name in ROLES:
            if _first(self._identity.roles(name=name)) is None:
                self._identity.create_role(name=name)
                self._note("role", name, MADE)
            else:
                self._note("role", name, THERE)

    def account(self, wanted: Account, http: session.Session, *, set_password: bool) -> None:
        """Make the user and its project with its roles. Conflict when the user is there with another password, unless
        that is to be set."""
        domain = self._domain(wanted.project_domain)
        project = _first(self._identity.projects(name=wanted.project, domain_id=domain))
        if project is None:
            project = self._identity.create_project(name=wanted.project, domain_id=domain)
            self._note("project", wanted.project, MADE)
        else:
            self._note("project", wanted.project, THERE)
        user = self._user(wanted, http, set_password=set_password)
        for name in OWN_ROLES:
            role = next(self._identity.roles(name=name))
            what = f"{name} of {wanted.name} in {wanted.project}"
            if self._identity.validate_user_has_project_role(project, user, role):
                self._note("grant", what, THERE)
            else:
                self._identity.assign_project_role_to_user(project, user, role)
                self._note("grant", what, MADE)

    def service(self, name: str) -> str:
        """Make the service; its id. Conflict when another one has its type: clients would find either of them."""
        found = list(self._identity.services(type=TYPE))
        if [service.name for service in found] == [name]:
            self._note("service", name, THERE)
            return str(found[0].id)
        if found:
            others = ", ".join(f"{service.name or '-'} ({service.id})" for service in found)
            raise Conflict(f"services of type {TYPE} are there: {others}. Name the only one, or remove it")
        made = self._identity.create_service(name=name, type=TYPE, description="Databases as a service")
        self._note("service", name, MADE)
        return str(made.id)

    def endpoints(self, service_id: str, region: str, urls: Mapping[str, str]) -> None:
        """Make the endpoints of a region, or give them these URLs; ``urls``: interface -> URL."""
        if not any(there.id == region for there in self._identity.regions()):
            self._identity.create_region(id=region)
            self._note("region", region, MADE)
        else:
            self._note("region", region, THERE)
        for interface, url in urls.items():
            self._endpoint({"service_id": service_id, "region_id": region, "interface": interface}, url)

    def _endpoint(self, which: dict[str, str], url: str) -> None:
        what = f"{which['interface']} {url}"
        found = _first(self._identity.endpoints(**which))
        if found is None:
            self._identity.create_endpoint(**which, url=url)
            self._note("endpoint", what, MADE)
        elif found.url != url or not found.is_enabled:
            self._identity.update_endpoint(found, url=url, is_enabled=True)
            self._note("endpoint", what, CHANGED)
        else:
            self._note("endpoint", what, THERE)

    def _user(self, wanted: Account, http: session.Session, *, set_password: bool) -> Any:
        domain = self._domain(wanted.domain)
        user = _first(self._identity.users(name=wanted.name, domain_id=domain))
        if user is None:
            made = self._identity.create_user(name=wanted.name, password=wanted.password, domain_id=domain)
            self._note("user", wanted.name, MADE)
            return made
        if _can_log_in(wanted, domain, http):
            self._note("user", wanted.name, THERE)
        elif set_password:
            self._identity.update_user(user, password=wanted.password)
            self._note("user", wanted.name, CHANGED)
        else:
            raise Conflict(f"the user {wanted.name} is there, and its password is not that of [keystone_authtoken]")
        return user

    def _domain(self, name: str) -> str:
        for domain in self._identity.domains():
            if name in (domain.id, domain.name):
                return str(domain.id)
        raise Conflict(f"there is no domain {name}")

    def _note(self, kind: str, name: str, done: str) -> None:
        self.steps.append((kind, name, done))


def _first(found: Iterable[Any]) -> Any:
    """None where nothing is found."""
    return next(iter(found), None)


def _can_log_in(wanted: Account, domain_id: str, http: session.Session) -> bool:
    """Without a project, since its roles may be missing still."""
    login = v3.Password(
        wanted.auth_url,
        username=wanted.name,
        password=wanted.password,
        user_domain_id=domain_id,
        unscoped=True,
        include_catalog=False,
    )
    try:
        login.get_access(http)
    except exceptions.Unauthorized:
        return False
    return True
