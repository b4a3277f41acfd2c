# SPDX-License-Identifier: Apache-2.0
"""The jobboard and the leader's election."""

from oslo_config import cfg

GROUP = cfg.OptGroup("coordination", title="ZooKeeper: jobboard and election")
OPTS = [
    cfg.StrOpt(
        "driver",
        default="zookeeper",
        choices=[("zookeeper", "an ensemble"), ("embedded", "inside the process (standalone)")],
        help="What holds the jobboard.",
    ),
    cfg.StrOpt("hosts", default="127.0.0.1:2181", help="ZooKeeper host:port list, comma separated."),
    cfg.StrOpt("root", default="/dbflow", help="The znode below which dbflow keeps everything."),
    cfg.FloatOpt("session_timeout", default=10.0, help="Seconds after which a silent process has lost its claims."),
]
