# SPDX-License-Identifier: Apache-2.0
"""Backups."""

from oslo_config import cfg

GROUP = cfg.OptGroup("backups", title="Backups")
OPTS = [
    cfg.IntOpt(
        "segment_size",
        default=8,
        min=1,
        max=32,
        help="MiB of an object that a backup consists of. A guest holds three of them in memory (and up to 32 MiB "
        "more at the end of a backup into a slow store), six at a restore; a backup may have 100,000.",
    ),
    cfg.IntOpt("compression_level", default=1, min=1, max=19, help="zstd's; higher is smaller and slower."),
    cfg.FloatOpt(
        "store_patience",
        default=600.0,
        min=1.0,
        help="Seconds for which a guest goes on trying to reach an object store that does not answer or fails.",
    ),
    cfg.FloatOpt(
        "failed_retention",
        default=7 * 86400.0,
        min=0,
        help="Seconds after which backups that failed are deleted. 0: never.",
    ),
]
