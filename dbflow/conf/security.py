# SPDX-License-Identifier: Apache-2.0
"""Keys that seal secrets at rest."""

from oslo_config import cfg

GROUP = cfg.OptGroup("security", title="Secrets at rest")
OPTS = [
    cfg.StrOpt(
        "key_file",
        default="/etc/dbflow/keys",
        help="File (mode 0600) of Fernet keys, one a line, newest first; the first seals, all unseal.",
    ),
]
