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
    cfg.StrOpt("swift_auth_url", help="swift: of Keystone, such as https://keystone:5000/v3."),
    cfg.StrOpt(
        "swift_auth_version",
        default="3",
        choices=[("3", "Keystone"), ("1", "Swift's own TempAuth: for tests")],
        help="swift: how dbflow logs in.",
    ),
    cfg.StrOpt(
        "swift_account",
        default="service",
        choices=[
            ("service", "dbflow's own"),
            ("project", "that of the instance's project, whose users then see their backups and logs in it"),
        ],
        help="swift: whose account holds backups and published logs. For those of projects, dbflow's user needs the "
        "role ResellerAdmin (what Swift calls reseller_admin_role). What is there when this is changed is not moved, "
        "and is not found until it is changed back.",
    ),
    cfg.StrOpt(
        "swift_account_prefix",
        default="AUTH_",
        help="swift: what Swift puts before a project's id to name its account (its reseller_prefix).",
    ),
    cfg.StrOpt("swift_username", default="dbflow", help="swift: user that dbflow logs in as."),
    cfg.StrOpt(
        "swift_password",
        secret=True,
        help="swift: its password. The temporary URLs of guests are signed with keys that follow from it: with another "
        "one, those that are out are good no more.",
    ),
    cfg.StrOpt("swift_project_name", default="service", help="swift: project that dbflow logs in to."),
    cfg.StrOpt("swift_user_domain_name", default="Default", help="swift: domain of the user."),
    cfg.StrOpt("swift_project_domain_name", default="Default", help="swift: domain of the project."),
    cfg.StrOpt("swift_region_name", help="swift: region whose object store is used; any when unset."),
    cfg.StrOpt("swift_cafile", help="swift: certificates to check those of Keystone and Swift with."),
]
