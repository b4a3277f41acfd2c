# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.fault COMMAND``: prove that nothing is lost, doubled, orphaned or stuck. The last line is JSON."""

import argparse
import sys

from tests.fault import handover, takeover
from tests.fault.cut import command as cut
from tests.fault.doubleclaim import command as doubleclaim
from tests.fault.messages import command as messages
from tests.fault.outage import command as outage
from tests.fault.sweep import command as sweep

COMMANDS = {
    "sweep": sweep,
    "takeover": takeover,
    "handover": handover,
    "double-claim": doubleclaim,
    "messages": messages,
    "outage": outage,
    "cut": cut,
}


def main(arguments: list[str] | None = None) -> int:
    """0 when all that was tried passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        about = (module.__doc__ or "").partition("\n")[0].partition(": ")[2]
        module.add_options(commands.add_parser(name, help=about, description=about))
    options = parser.parse_args(arguments)
    outcome = COMMANDS[options.command].run(options)
    for violation in outcome.violations:
        print(f"violation: {violation}")
    print(outcome.json(), flush=True)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
