# SPDX-License-Identifier: Apache-2.0
"""OpenStack: databases as servers of Nova, in the project of dbflow's own user."""

from keystoneauth1 import loading
from oslo_config import cfg

GROUP = cfg.OptGroup("openstack", title="OpenStack, as the cloud that the databases run on")
_OWN = [
    cfg.StrOpt(
        "cloud",
        help="Name of a cloud of clouds.yaml that says how dbflow logs in; the options of this group do when unset. "
        "The project that it logs in to owns whatever dbflow makes, and should be used for nothing else.",
    ),
    cfg.StrOpt("region_name", help="Region whose services are used; any when unset."),
    cfg.StrOpt(
        "interface",
        default="internal",
        choices=["internal", "public", "admin"],
        help="Which endpoints of the catalog are used.",
    ),
    cfg.FloatOpt(
        "poll_interval",
        default=1.0,
        min=0.1,
        help="Seconds between two looks at what is being made or removed; they grow with the time that it takes.",
    ),
    cfg.StrOpt(
        "name_prefix",
        default="dbflow-",
        regex=r"^[0-9A-Za-z_-]+$",
        help="What the names of everything begin with that dbflow makes; an instance's id follows. Two dbflow of one "
        "project need two.",
    ),
    cfg.StrOpt("availability_zone", help="Nova's zone of instances that name none; its scheduler chooses when unset."),
    cfg.StrOpt("volume_type", help="Cinder's type of volumes that name none; its own default when unset."),
    cfg.StrOpt(
        "volume_availability_zone",
        help="Cinder's zone of all volumes; where Cinder puts them when unset.",
    ),
    cfg.ListOpt(
        "networks",
        default=[],
        help="Ids of networks; instances whose owners name none are on the first. When empty, owners must name one.",
    ),
    cfg.StrOpt(
        "management_network",
        help="Id of the network over which guests reach the broker and the object store, on a port of its own; they "
        "use the network of their databases when unset.",
    ),
    cfg.ListOpt(
        "management_security_groups",
        default=[],
        help="Ids of security groups of the ports in management_network; one for each that lets nobody in when empty.",
    ),
    cfg.StrOpt(
        "public_network",
        help="Id of the external network that floating addresses of public instances are of; no instance can be "
        "public when unset.",
    ),
    cfg.StrOpt(
        "dns_zone",
        regex=r"^([0-9A-Za-z_-]+\.)+$",
        help="Designate's zone, with a dot at its end, in which instances get names; they get none when unset.",
    ),
    cfg.IntOpt("dns_ttl", default=60, min=1, help="Seconds for which such a name may be remembered."),
    cfg.StrOpt(
        "filesystem", default="xfs", choices=["xfs", "ext4"], help="What guests make on data volumes that are blank."
    ),
    cfg.DictOpt(
        "guest_users",
        default={"mariadb": "mysql"},
        help="The user of images that the database server runs as, by datastore manager.",
    ),
]
_LOGIN = ("password", "v3applicationcredential")
"""Ways to log in whose options the sample configuration shows."""


def _sessions() -> list[cfg.Opt]:
    """keystoneauth's, with an end to its patience."""
    options: list[cfg.Opt] = loading.get_session_conf_options()
    cfg.set_defaults(options, timeout=60)
    return options


OPTS = [*_OWN, *loading.get_auth_common_conf_options(), *_sessions()]


def list_login() -> list[tuple[str, list[cfg.Opt]]]:
    """For the sample configuration: keystoneauth registers those of the way that auth_type names."""
    found = [option for name in _LOGIN for option in loading.get_auth_plugin_conf_options(name)]
    return [(GROUP.name, list({option.dest: option for option in found}.values()))]
