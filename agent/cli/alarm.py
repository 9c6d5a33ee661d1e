"""`campus-agent alarm reset BUTTON`: close the open incident of a panic button."""

from collections.abc import Sequence

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.text import sentence


def main(argv: Sequence[str]) -> int:
    """Run `alarm ...` and return its exit status: 0 done, 1 refused, 2 miswritten."""
    options_of = parser("alarm")
    actions = options_of.add_subparsers(dest="action", required=True)
    reset = actions.add_parser("reset")
    reset.add_argument("button")
    reset.add_argument(
        "--reason", default="", help="needed when the input is not known to be at rest"
    )
    options = options_of.parse_args(argv)
    reply = ask(options, "alarm-reset", button=options.button, reason=options.reason)
    if reply is None:
        return REFUSED
    print(sentence(spoken(options), "alarm.reset_done", **reply.data))
    return 0
