"""`campus-agent alarm ...`: close an incident, open and end a test window."""

import argparse
from collections.abc import Sequence

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.control.protocol import Reply
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
    test = actions.add_parser("test")
    steps = test.add_subparsers(dest="step", required=True)
    start = steps.add_parser("start")
    start.add_argument("button", nargs="+", help="the buttons tested; all others stay live")
    start.add_argument("--by", required=True, help="who tests, by code")
    start.add_argument("--minutes", type=float, default=15.0)
    steps.add_parser("end")
    options = options_of.parse_args(argv)
    reply, done = _ask(options)
    if reply is None:
        return REFUSED
    print(sentence(spoken(options), done, **reply.data))
    return 0


def _ask(options: argparse.Namespace) -> tuple[Reply | None, str]:
    if options.action == "reset":
        reply = ask(options, "alarm-reset", button=options.button, reason=options.reason)
        return reply, "alarm.reset_done"
    if options.step == "end":
        return ask(options, "alarm-test-end"), "alarm.test_end_done"
    buttons = ",".join(options.button)
    reply = ask(
        options, "alarm-test-start", buttons=buttons, by=options.by, minutes=options.minutes
    )
    return reply, "alarm.test_start_done"
