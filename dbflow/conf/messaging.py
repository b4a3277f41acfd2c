# SPDX-License-Identifier: Apache-2.0
"""Messages between the control plane and the guests."""

from oslo_config import cfg

GROUP = cfg.OptGroup("messaging", title="Messages to and from guests")
OPTS = [
    cfg.StrOpt(
        "url",
        default="amqp://guest:guest@127.0.0.1:5672//",
        secret=True,
        help="Broker URL. amqp:// is RabbitMQ; dbflow+unix://USER:PASSWORD@/path/to/socket is the embedded broker.",
    ),
    cfg.StrOpt(
        "guest_url",
        secret=True,
        help="Broker URL as guests reach it, where that is another address than url's; the same virtual host.",
    ),
    cfg.StrOpt(
        "management_url",
        secret=True,
        help="RabbitMQ's management API, http(s)://USER:PASSWORD@HOST:PORT, with a user tagged administrator. With it "
        "each guest gets a user of its own; without it all guests log in as url says.",
    ),
    cfg.StrOpt("exchange", default="dbflow", help="Prefix of the exchanges and queues."),
    cfg.FloatOpt("resend", default=2.0, min=0.1, help="Seconds after which an unanswered request is sent again."),
    cfg.FloatOpt("guest_lost_after", default=30.0, help="Seconds of silence that fail a running guest task."),
    cfg.FloatOpt("pending_timeout", default=120.0, help="Seconds a guest has to accept a request."),
    cfg.FloatOpt("call_timeout", default=15.0, help="Seconds the API waits for a guest's answer (short calls)."),
    cfg.FloatOpt(
        "take_call_timeout",
        default=5.0,
        help="Seconds a guest has to say that it is at work on a call of the API; one that lives does so at once.",
    ),
    cfg.FloatOpt(
        "heartbeat_interval",
        default=30.0,
        min=0.5,
        help="Seconds between two heartbeats of a guest; what changes its status is told at once. At most a third of "
        "heartbeat_expiry, so that one or two may be lost.",
    ),
    cfg.FloatOpt("heartbeat_expiry", default=90.0, help="Seconds after which a guest that is silent shows as ERROR."),
]
