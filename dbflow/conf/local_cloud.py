# SPDX-License-Identifier: Apache-2.0
"""The local cloud: databases as processes of this machine."""

from oslo_config import cfg, types

GROUP = cfg.OptGroup("local_cloud", title="The local cloud")
OPTS = [
    cfg.StrOpt("state_dir", default="/var/lib/dbflow/cloud", help="Directory below which everything is kept."),
    cfg.StrOpt(
        "address_range",
        default="127.16.0.0-127.254.255.255",
        help="FIRST-LAST: loopback addresses for instances. 127.0.0.x, 127.0.1.x and 127.255.x.x are not allowed. "
        "Each state_dir starts at its own place in the range.",
    ),
    cfg.PortOpt("port", default=3306, min=1, help="Port on which databases listen, each at its own address."),
    cfg.StrOpt(
        "run_as",
        default="dbflow-db",
        help="User that database servers run as when dbflow runs as root; not used otherwise.",
    ),
    cfg.ListOpt(
        "flavors",
        default=[
            "1:db.tiny:256:1",
            "2:db.small:512:1",
            "3:db.medium:1024:1",
            "4:db.large:2048:2",
            "5:db.xlarge:4096:2",
            "6:db.2xlarge:8192:4",
        ],
        item_type=types.String(regex=r"^\d+:[^:]+:[1-9]\d*:[1-9]\d*(:\d+)?$"),
        help="Sizes on offer, each id:name:ram:vcpus or id:name:ram:vcpus:disk; ram in MiB, disk in GiB.",
    ),
    cfg.ListOpt(
        "hosts",
        default=["local"],
        item_type=types.String(regex=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$"),
        help="Names of hosts: directories of this machine, each with the disks of its servers, so that servers can be "
        "moved from one to another. A new one goes where the fewest are. Servers of a host that is not named any more "
        "run on, and can be moved away.",
    ),
    cfg.StrOpt(
        "image_dir",
        default="$state_dir/images",
        help="Where prepared data directories are kept, one a datastore manager.",
    ),
    cfg.StrOpt(
        "rootfs_dir",
        default="$state_dir/rootfs",
        help="Where the images are whose servers run other programs than this machine's own: a directory each, named "
        "by the image's id; tools/rootfs.sh makes them.",
    ),
    cfg.FloatOpt("lock_timeout", default=90.0, help="Seconds to wait for another process that works on an instance."),
    cfg.FloatOpt("stop_timeout", default=30.0, help="Seconds a database has to stop cleanly before it is killed."),
    cfg.FloatOpt("delete_timeout", default=10.0, help="Seconds processes have to end when a server is deleted."),
    cfg.FloatOpt("image_timeout", default=300.0, help="Seconds that preparing a data directory may take."),
]
