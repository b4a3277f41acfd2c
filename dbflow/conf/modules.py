# SPDX-License-Identifier: Apache-2.0
"""Modules."""

from oslo_config import cfg

GROUP = cfg.OptGroup("modules", title="Modules")
OPTS = [
    cfg.ListOpt(
        "types",
        default=["ping", "sql"],
        help="Types of which modules can be made. Each needs an entry point in dbflow.modules here, and one in "
        "dbflow.guest.modules in the images of instances.",
    ),
    cfg.IntOpt(
        "max_contents", default=64 << 10, min=1, max=256 << 10, help="Bytes of the contents of a module, decoded."
    ),
    cfg.IntOpt("reapply_max_batch_size", default=50, min=1, help="Instances that are given a module again at once."),
    cfg.IntOpt("reapply_min_batch_delay", default=2, min=0, help="Seconds between two such batches."),
]
