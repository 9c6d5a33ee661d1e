"""`campus-agent status`: what the running daemon knows now, one line an object."""

import json
from collections.abc import Sequence

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.text.messages import state_line


def main(argv: Sequence[str]) -> int:
    """Print the states; 1 when the daemon cannot be asked."""
    options_of = parser("status")
    options_of.add_argument("--json", action="store_true")
    options = options_of.parse_args(argv)
    reply = ask(options, "status")
    if reply is None:
        return REFUSED
    if options.json:
        print(json.dumps(reply.data, ensure_ascii=False, indent=2))
        return 0
    for state in reply.data["states"]:
        print(state_line(spoken(options), state["kind"], state["id"], state["data"]))
    return 0
