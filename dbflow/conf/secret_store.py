# SPDX-License-Identifier: Apache-2.0
"""Where owners keep certificates of their own."""

from oslo_config import cfg

GROUP = cfg.OptGroup("secret_store", title="Where owners keep certificates of their own")
OPTS = [
    cfg.StrOpt("driver", default="file", help="file (a directory on the machine of dbflow-api), or barbican."),
    cfg.StrOpt(
        "directory",
        default="/var/lib/dbflow/secrets",
        help="file: a reference file:NAME is <directory>/<project id>/NAME, a file of mode 0600.",
    ),
    cfg.StrOpt(
        "barbican_endpoint",
        help="barbican: such as https://barbican:9311. It is asked with the token of the request; a reference may name "
        "another host, which is not asked.",
    ),
    cfg.StrOpt("barbican_cafile", help="barbican: certificates to check its own with."),
]
