"""`campus-agent status`: a school on one screen; with `--all` one line an object."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.cli.status_screen import Screen
from agent.text import printable
from agent.text.messages import state_line

NARROWEST, WIDEST = 60, 120


def main(argv: Sequence[str]) -> int:
    """Print what the daemon knows now; 1 when it cannot be asked."""
    options_of = parser("status")
    options_of.add_argument("--json", action="store_true")
    options_of.add_argument("--all", action="store_true", help="one line for every object")
    options = options_of.parse_args(argv)
    reply = ask(options, "status")
    if reply is None:
        return REFUSED
    lang = spoken(options)
    if options.json:
        print(json.dumps(reply.data, ensure_ascii=False, indent=2))
    elif options.all:
        for state in reply.data["states"]:
            print(state_line(lang, state["kind"], state["id"], state["data"]))
    else:
        columns = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
        for line in Screen(lang, reply.data, datetime.now(UTC), columns).lines():
            print(printable(line))
    return 0
