# SPDX-License-Identifier: Apache-2.0
"""What Keystone knows from the start: catalog, roles, projects, users."""

from collections.abc import Iterable, Mapping
from typing import Any

from devcloud.rest import Admin
from devcloud.services import Service
from devcloud.settings import PASSWORD, REGION, Settings

INTERFACES = ("public", "internal", "admin")
ROLES = ("service", "swiftoperator", "ResellerAdmin", "creator")
"""Beside those that Keystone itself makes: admin, manager, member, reader."""
PROJECTS = ("service", "demo", "tenant1", "tenant2")
SERVICE_USERS = ("nova", "neutron", "cinder", "glance", "placement", "swift", "designate", "dbaas")
"""``dbaas`` is for the control plane that is developed here."""
GRANTS = (
    *((user, "service", role) for user in SERVICE_USERS for role in ("admin", "service")),
    ("swift", "service", "ResellerAdmin"),
    ("dbaas", "service", "ResellerAdmin"),
    ("demo", "demo", "member"),
    ("tenant1", "tenant1", "member"),
    ("tenant2", "tenant2", "member"),
    ("reader", "tenant1", "reader"),
    ("admin", "demo", "admin"),
)
"""User, project, role."""
CLOUDS = {"admin": "admin", "dbaas": "service", "demo": "demo", "tenant1": "tenant1", "tenant2": "tenant2"}
CLOUDS |= {"reader": "tenant1"}
"""Entries of clouds.yaml, named after their user -> project."""


def fill(settings: Settings, admin: Admin, services: Iterable[Service]) -> None:
    """Make what is missing."""
    _fill_catalog(settings, admin, services)
    for role in ROLES:
        admin.send("POST", "keystone", "/v3/roles", {"role": {"name": role}})
    for project in PROJECTS:
        admin.send("POST", "keystone", "/v3/projects", {"project": {"name": project, "domain_id": "default"}})
    for user in sorted({user for user, _, _ in GRANTS} - {"admin"}):
        values = {"name": user, "domain_id": "default", "password": PASSWORD}
        admin.send("POST", "keystone", "/v3/users", {"user": values})
    roles, projects, users = (_ids(admin, kind) for kind in ("roles", "projects", "users"))
    for user, project, role in GRANTS:
        path = f"/v3/projects/{projects[project]}/users/{users[user]}/roles/{roles[role]}"
        admin.send("PUT", "keystone", path)


def _fill_catalog(settings: Settings, admin: Admin, services: Iterable[Service]) -> None:
    known = _ids(admin, "services")
    for service in services:
        for name, (kind, path) in service.catalog.items():
            if name in known:
                continue
            made = admin.send("POST", "keystone", "/v3/services", {"service": {"name": name, "type": kind}})
            endpoint = {"service_id": made["service"]["id"], "region_id": REGION}
            for interface in INTERFACES:
                values = {**endpoint, "interface": interface, "url": settings.url(service.name, path)}
                admin.send("POST", "keystone", "/v3/endpoints", {"endpoint": values})


def _ids(admin: Admin, kind: str) -> dict[str, str]:
    return {entry["name"]: entry["id"] for entry in admin.get("keystone", f"/v3/{kind}")[kind]}


def login(settings: Settings, user: str) -> Mapping[str, Any]:
    """The user's entry of clouds.yaml."""
    return {
        "region_name": REGION,
        "auth": {
            "auth_url": settings.auth_url,
            "username": user,
            "password": PASSWORD,
            "project_name": CLOUDS[user],
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
    }
