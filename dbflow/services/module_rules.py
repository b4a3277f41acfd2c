# SPDX-License-Identifier: Apache-2.0
"""What is true of every module, whoever makes or changes it."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dbflow import modules
from dbflow.datastores import Invalid
from dbflow.db.models import Module
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Forbidden, NotFound

_AS_BASE64 = 2
"""Characters of base64 for a byte, with line breaks, at most."""
_ANSWERED = 500 << 10
"""Bytes of JSON in which a guest can answer what it was given."""


def type_of(services: Services, name: str) -> modules.ModuleType:
    """NotFound for a type of which no modules can be made."""
    wanted = name.lower()
    if wanted in [one.lower() for one in services.conf.modules.types]:
        try:
            return modules.load(wanted)
        except LookupError:
            pass
    raise NotFound(f"Module type '{name[:64]}' was not found. (module_type)")


def installed(name: str) -> modules.ModuleType:
    """BadRequest for the type of a module that was made when there was one."""
    try:
        return modules.load(name)
    except LookupError:
        raise BadRequest(f"Modules of the type {name} are not known here any more.") from None


def checked_contents(services: Services, kind: modules.ModuleType, given: str) -> str:
    """The contents as they are kept. BadRequest for what is no base64, too large, or nothing that the type takes."""
    most = services.conf.modules.max_contents
    # It is kept, and asked for, with its line breaks.
    if len(given) > _AS_BASE64 * most or len(json.dumps(given)) > _ANSWERED:
        raise BadRequest(f"Validation error: module contents are too long (at most {most} bytes).")
    try:
        contents = base64.b64decode("".join(given.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("Validation error: module contents are not base64.") from None
    if not contents:
        raise BadRequest("Validation error: module contents are empty.")
    if len(contents) > most:
        raise BadRequest(f"Validation error: module contents are too long (at most {most} bytes).")
    try:
        kind.check(contents)
    except Invalid as error:
        raise BadRequest(f"Validation error: module {error.field}: {error}") from None
    return given


def md5(contents: str) -> str:
    """Of the text as it was sent, as Trove has it."""
    return hashlib.md5(contents.encode(), usedforsecurity=False).hexdigest()


def place(module: Module) -> str:
    """What only one module can be."""
    parts = [module.name, module.type, module.project_id, module.datastore_id, module.datastore_version_id]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def must_be_allowed(caller: Caller, module: Module, full_access: Any, doing: str) -> bool:
    """Forbidden for users, when the module has what only administrators give. Returns whether it has."""
    options = {
        "all_tenants": module.project_id is None,
        "auto_apply": module.auto_apply,
        "hidden": not module.visible,
        "priority_apply": module.priority_apply,
    }
    given = [name for name, is_so in options.items() if is_so]
    if full_access and given:
        raise BadRequest(f"Cannot make module full access: ({', '.join(given)}). (full_access)")
    if full_access is not None:
        given.append("full_access")
    if given and not caller.is_admin:
        raise Forbidden(f"You must be an administrator to {doing} a module with these options: {', '.join(given)}.")
    return bool(given)


def must_be_ones_own(caller: Caller, module: Module, doing: str) -> None:
    """Forbidden for users, when administrators made the module for themselves."""
    if module.is_admin and not caller.is_admin:
        raise Forbidden(f"You must be an administrator to {doing} module {module.name}: it is an administrator's.")


def options(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of what a body says that is no more than that."""
    plain = {name: bool(wanted[name]) for name in _SWITCHES if wanted.get(name) is not None}
    order = {"apply_order": wanted["apply_order"]} if wanted.get("apply_order") is not None else {}
    return plain | order


_SWITCHES = ("auto_apply", "visible", "live_update", "priority_apply")
