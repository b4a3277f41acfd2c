# SPDX-License-Identifier: Apache-2.0
"""What a project may have when no row says otherwise; -1 is no limit."""

from oslo_config import cfg

GROUP = cfg.OptGroup("quota", title="Quotas of a project")
OPTS = [
    cfg.IntOpt("max_instances_per_tenant", default=10, min=-1, help="Instances."),
    cfg.IntOpt("max_ram_per_tenant", default=-1, min=-1, help="MiB of memory of all instances."),
    cfg.IntOpt("max_volumes_per_tenant", default=40, min=-1, help="GiB of all volumes."),
    cfg.IntOpt("max_backups_per_tenant", default=50, min=-1, help="Backups."),
    cfg.IntOpt("max_accepted_volume_size", default=10, min=1, help="GiB of the largest volume one may ask for."),
]
