"""`campus-agent recorder ...`: its login, what was learnt of it, a recording played back now."""

import argparse
import sys
import time
from collections.abc import Sequence

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.text import printable, sentence

# A playback waits for the poll under way, for its turn at the recorder, and for the recorder.
WAIT_SECONDS, LOOK_SECONDS = 240.0, 0.5
# What a playback shows; any other word is the reason why it showed nothing.
OUTCOMES = ("proven", "unplayable", "like_live", "other_time", "forbidden", "unsure")


def main(argv: Sequence[str]) -> int:
    """Return 0 when it was shown or done, 1 when it was refused or did not prove itself."""
    options_of = parser("recorder")
    options_of.add_argument("action", choices=("show", "retry", "prove"))
    options_of.add_argument("recorder")
    options_of.add_argument("channel", nargs="?", default="")
    options = options_of.parse_args(argv)
    if (options.action == "prove") != bool(options.channel):
        options_of.error("prove takes the id of a channel, nothing else does")
    actions = {"show": _show, "retry": _retry, "prove": _prove}
    return actions[options.action](options)


def _retry(options: argparse.Namespace) -> int:
    if ask(options, "recorder-retry", recorder=options.recorder) is None:
        return REFUSED
    _say(options, "recorder.retry_done", recorder=options.recorder)
    return 0


def _show(options: argparse.Namespace) -> int:
    reply = ask(options, "recorder-show", recorder=options.recorder)
    if reply is None:
        return REFUSED
    _say(options, f"recorder.login_{reply.data['login']}", until=reply.data["held_until"])
    for name, value in reply.data["learnt"].items():
        # Names of the quirk sheet: a technician reads them out to whoever knows the firmware.
        shown = sentence(spoken(options), "recorder.not_learnt") if value is None else str(value)
        print(printable(f"  {name}: {shown}"))
    return 0


def _prove(options: argparse.Namespace) -> int:
    about = {"recorder": options.recorder, "channel": options.channel}
    reply = ask(options, "recorder-prove", again=True, **about)
    if reply is None:
        return REFUSED
    before = reply.data["times"]
    _say(options, "recorder.prove_begun", **about)
    sys.stdout.flush()
    until = time.monotonic() + WAIT_SECONDS
    while reply.data["times"] == before and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        reply = ask(options, "recorder-prove", **about)
        if reply is None:
            return REFUSED
    if reply.data["times"] == before:
        _say(options, "recorder.prove_waits", **about)
        return REFUSED
    word = str(reply.data["outcome"])
    code = f"recorder.prove_{word}" if word in OUTCOMES else f"unknown.{word}"
    _say(options, code, **reply.data, **about)
    return 0 if word == "proven" else REFUSED


def _say(options: argparse.Namespace, code: str, **params: object) -> None:
    print(printable(sentence(spoken(options), code, **params)))
