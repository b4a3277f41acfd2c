# SPDX-License-Identifier: Apache-2.0
"""Where backups are kept."""

from oslo_config import cfg

GROUP = cfg.OptGroup("object_store", title="The object store of backups")
OPTS = [
    cfg.StrOpt("driver", default="file", help="file (a directory, served by dbflow-objects), or swift."),
    cfg.StrOpt("container", default="database_backups", help="Container of backups that do not name one."),
    cfg.StrOpt("directory", default="/var/lib/dbflow/objects", help="file: where the objects are."),
    cfg.HostAddressOpt("bind_host", default="127.0.0.1", help="file: address that dbflow-objects listens on."),
    cfg.PortOpt("bind_port", default=8780, help="file: port that dbflow-objects listens on."),
    cfg.StrOpt("url", help="file: base of its URLs as guests reach it; http://bind_host:bind_port when unset."),
    cfg.IntOpt(
        "url_lifetime",
        default=100_000,
        min=60,
        help="Seconds for which the URLs that a guest gets are good: longer than a backup may take.",
    ),
]
