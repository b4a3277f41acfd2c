# SPDX-License-Identifier: Apache-2.0
"""How a conductor works."""

from oslo_config import cfg

GROUP = cfg.OptGroup("conductor", title="Conductors")
OPTS = [
    cfg.IntOpt("max_flows", default=64, min=1, help="Flows one conductor process runs at once."),
    cfg.IntOpt("task_threads", default=32, min=1, help="Threads shared by the local tasks of all flows of a process."),
    cfg.FloatOpt("outbox_interval", default=2.0, help="Seconds between two looks of the leader for unposted work."),
    cfg.IntOpt("flow_retention", default=7 * 86400, min=0, help="Seconds for which ended flows are kept."),
    cfg.IntOpt("max_attempts", default=20, min=1, help="Claims of one operation after which it is parked as FAILED."),
]
