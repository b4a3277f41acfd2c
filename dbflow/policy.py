# SPDX-License-Identifier: Apache-2.0
"""Who may do what: Trove's rule names for oslo.policy.

A token with the role ``reader`` and neither ``member`` nor ``manager`` may look but not change. Tokens of
clouds that never gave out these roles keep what they could do before: everything in their own project.
"""

import time
from typing import Any

from oslo_config import cfg
from oslo_policy import opts, policy

ADMIN = "rule:admin"
READ = "rule:admin_or_owner"
WRITE = "rule:admin_or_member"
ANYONE = ""

_FRESH = 5.0
"""Seconds after which a changed policy file counts."""
_MOST_DECISIONS = 10_000

_BASE = {
    "context_is_admin": ("role:admin", "Who counts as an administrator."),
    "admin": ("role:admin or is_admin:True", "An administrator."),
    "admin_or_owner": ("rule:admin or project_id:%(tenant)s", "Anyone of the project."),
    "admin_or_member": (
        "rule:admin or (project_id:%(tenant)s and (role:member or role:manager or not role:reader))",
        "Anyone of the project but those who may only read.",
    ),
    "default": ("rule:admin_or_owner", "Rules without a line of their own."),
}

BASE_RULES = frozenset(_BASE)
"""What the others are made of; no resource asks for them."""

_RULES: dict[str, dict[str, str]] = {
    READ: {
        "instance": "index detail show backups configuration guest_log_list module_list ssl_show",
        "backup": "index show",
        "backup_strategy": "index",
        "instance:extension:root": "index",
        "instance:extension:user": "index show",
        "instance:extension:user_access": "index",
        "instance:extension:database": "index show",
        "configuration": "index show instances",
        "module": "index show instances",
        "limits": "index",
        "operation": "index show",
    },
    WRITE: {
        "instance": "create delete force_delete update edit restart resize_volume resize_flavor "
        "promote_to_replica_source eject_replica_source guest_log_action module_apply module_remove ssl_action",
        "instance:extension:root": "create delete",
        "instance:extension:user": "create delete update update_all",
        "instance:extension:user_access": "update delete",
        "instance:extension:database": "create delete",
        "configuration": "create delete update edit",
        "module": "create delete update reapply",
        "backup": "create delete",
        "backup_strategy": "create delete",
        "operation": "update",
    },
    ADMIN: {
        "instance": "reset_status",
        "backup:index": "all_projects",
        "mgmt": "quota_update jobs conductors conductor_update guests parameters instance_action instances "
        "datastore_versions",
        "datastore": "delete",
        "operation": "all_projects release",
    },
    ANYONE: {
        "datastore": "index show version_show version_show_by_uuid version_index list_associated_flavors "
        "list_associated_volume_types",
        "configuration-parameter": "index show index_by_version show_by_version",
        "flavor": "index show",
    },
}


def list_rules() -> list[policy.RuleDefault]:
    """Every rule with its default, for the sample policy file."""
    rules = [policy.RuleDefault(name, check, description) for name, (check, description) in _BASE.items()]
    for check, subjects in _RULES.items():
        for subject, verbs in subjects.items():
            rules += [
                policy.RuleDefault(f"{subject}:{verb}", check, f"{subject} {verb}".replace(":", " "))
                for verb in verbs.split()
            ]
    return rules


def unknown_rules(conf: cfg.ConfigOpts) -> list[str]:
    """Rules of the policy file that are neither dbflow's nor spoken of by others. Raises what is wrong with it."""
    enforcer = _enforcer(conf)
    written = {name: rule.check_str for name, rule in enforcer.file_rules.items()}
    known = {rule.name for rule in list_rules()}
    spoken_of = {word.strip("()") for check in written.values() for word in str(check).split()}
    return sorted(name for name in written.keys() - known if f"rule:{name}" not in spoken_of)


def _enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    opts.set_defaults(conf)
    enforcer = policy.Enforcer(conf)
    enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults(list_rules())
    enforcer.load_rules()
    return enforcer


class Policy:
    """The rules of a deployment: the defaults and what its policy file changes."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._enforcer = _enforcer(conf)
        self._decisions: dict[tuple[Any, ...], bool] = {}
        self._until = 0.0

    def allows(self, rule: str, user_id: str, project_id: str, roles: frozenset[str], is_admin: bool) -> bool:
        """Whether a user may do it in the own project."""
        target = {"tenant": project_id, "project_id": project_id}
        known = {"user_id": user_id, "project_id": project_id, "roles": sorted(roles), "is_admin": is_admin}
        return self._decided((rule, user_id, project_id, roles, is_admin), rule, target, known)

    def is_admin(self, roles: frozenset[str]) -> bool:
        """Whether these roles make an administrator."""
        return self._decided(("", roles), "context_is_admin", {}, {"roles": sorted(roles)})

    def _decided(self, key: tuple[Any, ...], rule: str, target: dict[str, Any], known: dict[str, Any]) -> bool:
        """oslo.policy looks for changed files and inspects its own methods at every decision, so ask seldom."""
        now = time.monotonic()
        if now > self._until or len(self._decisions) > _MOST_DECISIONS:
            self._decisions, self._until = {}, now + _FRESH
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._decisions[key] = bool(self._enforcer.authorize(rule, target, known))
        return decision
