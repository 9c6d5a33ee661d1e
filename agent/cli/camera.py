"""`campus-agent camera ...`: accept a view changed on purpose; what was seen of a camera."""

import argparse
import json
import time
from collections.abc import Sequence
from datetime import datetime

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.text import printable, sentence

DAY_SECONDS = 86_400


def main(argv: Sequence[str]) -> int:
    """Return 0 when it was done, 1 when it was refused."""
    options_of = parser("camera")
    options_of.add_argument("action", choices=("accept", "history"))
    options_of.add_argument("camera")
    options_of.add_argument("--days", type=float, default=30)
    options_of.add_argument("--json", action="store_true")
    options = options_of.parse_args(argv)
    return _accept(options) if options.action == "accept" else _history(options)


def _accept(options: argparse.Namespace) -> int:
    if ask(options, "camera-accept", camera=options.camera) is None:
        return REFUSED
    print(printable(sentence(spoken(options), "camera.accepted", camera=options.camera)))
    return 0


def _history(options: argparse.Namespace) -> int:
    since = time.time() - options.days * DAY_SECONDS
    reply = ask(options, "camera-history", camera=options.camera, since=since)
    if reply is None:
        return REFUSED
    if options.json:
        print(json.dumps(reply.data, ensure_ascii=False, indent=2))
        return 0
    lang, good_at = spoken(options), reply.data["good_at"]
    code = "camera.never_good" if good_at is None else "camera.last_good"
    at = "" if good_at is None else _local(good_at, "%Y-%m-%d %H:%M")
    print(printable(sentence(lang, code, camera=options.camera, at=at)))
    if reply.data["picture"]:
        print(printable(sentence(lang, "camera.picture_kept", path=reply.data["picture"])))
    for one in reply.data["inspections"]:
        verdict = sentence(lang, f"word.{one['verdict']}")
        span = f"{one['day']} {_local(one['first_at'])}-{_local(one['last_at'])}"
        wrong = "; ".join(sentence(lang, code) for code in one["codes"].split())
        print(printable(f"{span}  {one['checks']:>4} x {verdict}  {wrong}".rstrip()))
    return 0


def _local(at: float, form: str = "%H:%M") -> str:
    return datetime.fromtimestamp(at).astimezone().strftime(form)
