# SPDX-License-Identifier: Apache-2.0
"""Datastores, versions and flavors."""

from typing import Any

from dbflow.api.here import caller, links


def datastore(kind: Any) -> dict[str, Any]:
    """With its versions; the default only when it is among them, since clients look it up there."""
    shown = {
        "id": kind.id,
        "name": kind.name,
        "links": links("datastores", kind.id),
        "versions": [_summary(version) for version in kind.versions],
    }
    if kind.default_version_id is not None:
        shown["default_version"] = kind.default_version_id
    return shown


def version(found: Any) -> dict[str, Any]:
    """A version; administrators see what it is made of."""
    shown = _summary(found) | {"datastore": found.datastore_id}
    if caller().is_admin:
        shown |= {
            "active": found.active,
            "packages": ",".join(found.packages),
            "image": found.image_id,
            "registry_ext": found.registry_ext,
            "repl_strategy": found.repl_strategy,
            "image_tags": found.image_tags,
        }
    return shown


def _summary(found: Any) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "version": found.version,
        "links": links(f"datastores/{found.datastore_id}/versions", found.id),
    }


def flavor(found: Any) -> dict[str, Any]:
    """``id`` is a number or null, ``str_id`` always the id."""
    plain = found.id.isascii() and found.id.isdigit()
    return {
        "id": int(found.id) if plain else None,
        "str_id": found.id,
        "name": found.name,
        "ram": found.ram,
        "vcpus": found.vcpus,
        "disk": found.disk,
        "ephemeral": found.ephemeral,
        "links": links("flavors", found.id),
    }
