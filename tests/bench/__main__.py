# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench NAME`` (see BENCHMARKS): a table, and as the last line its figures as JSON."""

import argparse

from tests.bench import api, availability, backup, cloud, console, create, flows, guests, jobs, steps

BENCHMARKS = {
    "create": create,
    "steps": steps,
    "flows": flows,
    "api": api,
    "jobs": jobs,
    "guests": guests,
    "backup": backup,
    "console": console,
    "availability": availability,
    "openstack": cloud,
}


def main(arguments: list[str] | None = None) -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="benchmark", required=True)
    for name, module in BENCHMARKS.items():
        about = (module.__doc__ or "").partition("\n")[0].partition(": ")[2]
        module.add_options(commands.add_parser(name, help=about, description=about))
    options = parser.parse_args(arguments)
    BENCHMARKS[options.benchmark].run(options)


if __name__ == "__main__":
    main()
