# SPDX-License-Identifier: Apache-2.0
"""MariaDB."""

from oslo_config import cfg

GROUP = cfg.OptGroup("mariadb", title="MariaDB")
OPTS = [
    cfg.FloatOpt(
        "semi_sync_fallback",
        default=0.0,
        min=0,
        help="Seconds after which a commit on a source of replicas no longer waits until one of them has it. What was "
        "written from then on is lost when the source is. 0: it waits for ever, and nobody can write while no replica "
        "answers.",
    ),
]
