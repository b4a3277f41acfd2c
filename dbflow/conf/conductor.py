# SPDX-License-Identifier: Apache-2.0
"""How a conductor works."""

from oslo_config import cfg

GROUP = cfg.OptGroup("conductor", title="Conductors")
OPTS = [
    cfg.IntOpt(
        "max_flows",
        default=300,
        min=1,
        help="Flows one conductor process runs at once, those that wait for a server, a guest or a cloud included. "
        "Each is a thread and about 0.15 MiB.",
    ),
    cfg.IntOpt(
        "task_threads",
        default=32,
        min=1,
        help="Threads shared by the local tasks of all flows of a process. A task that waits holds none.",
    ),
    cfg.FloatOpt("outbox_interval", default=2.0, help="Seconds between two looks of the leader for unposted work."),
    cfg.IntOpt("flow_retention", default=7 * 86400, min=0, help="Seconds for which ended flows are kept."),
    cfg.FloatOpt(
        "operation_deadline",
        default=86400,
        min=0,
        help="Seconds after which an operation that has not ended is cancelled (and after as many again parked as "
        "FAILED), unless its kind says otherwise. 0: never.",
    ),
    cfg.FloatOpt(
        "orphan_interval",
        default=60,
        min=0,
        help="Seconds between two looks of the leader for what carries an instance's name in the cloud or at the "
        "broker and no instance needs, and for instances, or deletions, that the broker has forgotten. 0: it does not "
        "look.",
    ),
    cfg.FloatOpt("orphan_grace", default=300, min=0, help="Seconds for which an orphan is seen before it is reported."),
    cfg.IntOpt("max_attempts", default=20, min=1, help="Claims of one operation after which it is parked as FAILED."),
]
