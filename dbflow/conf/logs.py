# SPDX-License-Identifier: Apache-2.0
"""Logs of instances."""

from oslo_config import cfg

GROUP = cfg.OptGroup("logs", title="Logs of instances")
OPTS = [
    cfg.StrOpt("container", default="database_logs", help="Container that logs are published to."),
    cfg.IntOpt(
        "expiry",
        default=30 * 86400,
        min=0,
        help="Seconds after which Swift forgets what was published; 0: never. A file store keeps it until it is "
        "discarded, or removed by hand once its instance is deleted.",
    ),
    cfg.FloatOpt("publish_timeout", default=180.0, help="Seconds the API waits until a guest has published a log."),
]
