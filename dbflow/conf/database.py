# SPDX-License-Identifier: Apache-2.0
"""Where dbflow keeps its own state."""

from oslo_config import cfg

GROUP = cfg.OptGroup("database", title="dbflow's own state")
OPTS = [
    cfg.StrOpt(
        "connection",
        default="sqlite:////var/lib/dbflow/dbflow.sqlite",
        secret=True,
        help="SQLAlchemy URL: sqlite:////path (WAL) or mysql+pymysql://user:password@host/name.",
    ),
    cfg.IntOpt(
        "pool_size",
        default=20,
        min=1,
        help="Connections that a process keeps open for each of three uses (transactions, looks, saves of steps), and "
        "as many more for a moment: six times this many are the most it may have.",
    ),
    cfg.FloatOpt(
        "answer_timeout",
        default=5.0,
        min=1.0,
        help="Seconds that MariaDB may take for one answer; after that it counts as away, and the API says so.",
    ),
    cfg.IntOpt("pool_timeout", default=30, min=1, help="Seconds to wait for a free connection."),
    cfg.IntOpt(
        "idle_transaction_timeout",
        default=5,
        min=1,
        help="Seconds after which MariaDB ends a transaction of a process that was stopped or cut off in its middle, "
        "and frees the rows that it has locked, so that others can go on.",
    ),
]
