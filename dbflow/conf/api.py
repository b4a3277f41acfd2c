# SPDX-License-Identifier: Apache-2.0
"""The REST API."""

from oslo_config import cfg

GROUP = cfg.OptGroup("api", title="REST API")
OPTS = [
    cfg.HostAddressOpt("bind_host", default="127.0.0.1", help="Address that dbflow-api listens on."),
    cfg.PortOpt("bind_port", default=8779, help="Port that dbflow-api listens on."),
    cfg.IntOpt("workers", default=4, min=1, help="Worker processes of dbflow-api."),
    cfg.IntOpt("threads", default=16, min=2, help="Threads of a worker; an event stream occupies one while it lasts."),
    cfg.StrOpt(
        "auth",
        default="keystone",
        choices=[("keystone", "keystonemiddleware, [keystone_authtoken]"), ("token_file", "hashes in token_file")],
        help="How a token becomes a user.",
    ),
    cfg.StrOpt("token_file", default="/etc/dbflow/tokens.json", help="Token hashes (mode 0600) of auth = token_file."),
    cfg.StrOpt("public_endpoint", help="Base of the links in answers; https://<Host header> when unset."),
    cfg.StrOpt("region", default="RegionOne", help="The region that instances show."),
    cfg.IntOpt("instances_page_size", default=20, min=1, help="Instances on a page, and the most one may ask for."),
    cfg.IntOpt("configurations_page_size", default=20, min=1, help="Groups on a page, and the most one may ask for."),
    cfg.IntOpt("backups_page_size", default=20, min=1, help="Backups on a page when a request does not say."),
    cfg.IntOpt("databases_page_size", default=20, min=1, help="Databases on a page, and the most one may ask for."),
    cfg.IntOpt("users_page_size", default=20, min=1, help="Users on a page, and the most one may ask for."),
    cfg.IntOpt("guests_page_size", default=100, min=1, help="Guests on a page, and the most one may ask for."),
    cfg.IntOpt("operations_page_size", default=50, min=1, help="Operations on a page, and the most one may ask for."),
    cfg.IntOpt("http_get_rate", default=200, min=1, help="GETs a user may make a minute."),
    cfg.IntOpt("http_post_rate", default=200, min=1, help="POSTs a user may make a minute."),
    cfg.IntOpt("http_put_rate", default=200, min=1, help="PUTs and PATCHes a user may make a minute."),
    cfg.IntOpt("http_delete_rate", default=200, min=1, help="DELETEs a user may make a minute."),
    cfg.IntOpt("http_mgmt_post_rate", default=200, min=1, help="POSTs below /mgmt a user may make a minute."),
    cfg.IntOpt("unauthenticated_rate", default=300, min=1, help="Requests without a valid token, an address a minute."),
    cfg.StrOpt(
        "rate_storage",
        default="process://",
        secret=True,
        help="Where the rate limits count: process:// (each worker for itself) or a storage URI of the limits package, "
        "such as redis://host:6379 or memcached://host:11211, that all workers share.",
    ),
    cfg.IntOpt("max_body", default=1 << 20, min=1024, help="Bytes of the largest request body."),
    cfg.FloatOpt(
        "cloud_timeout",
        default=10.0,
        min=0.1,
        help="Seconds that a service of the cloud has to answer the API, which then answers 503: requests hold threads "
        "meanwhile. Conductors are more patient.",
    ),
    cfg.FloatOpt("flavor_cache", default=30.0, min=0, help="Seconds for which the list of flavors is remembered."),
    cfg.FloatOpt(
        "idempotency_takeover",
        default=60.0,
        help="Seconds after which a request that was never answered may be made again with its Idempotency-Key.",
    ),
    cfg.IntOpt(
        "max_event_streams",
        default=64,
        min=1,
        help="Event streams and live pages of the console that a worker serves at once: a quarter of them for the "
        "streams of one user at most, the last quarter not for pages. No more than three quarters of a worker's "
        "threads are taken for them.",
    ),
    cfg.FloatOpt("event_interval", default=0.2, min=0.02, help="Seconds between two looks for changes of operations."),
    cfg.FloatOpt("event_heartbeat", default=15.0, min=0.1, help="Seconds of silence after which a stream is fed."),
    cfg.StrOpt(
        "healthcheck_disabled_by",
        help="A file; while it is there, /healthcheck answers 503, so that a load balancer sends nothing more here.",
    ),
    cfg.FloatOpt("max_wait", default=60.0, help="Seconds a client may wait for an operation in one request."),
]
