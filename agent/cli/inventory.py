"""`campus-agent inventory accept|show`: what was handed over, and what is different now."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent import accepted_list
from agent.accepted_list import Accepted, Item
from agent.cli.daemon import DEFAULT_CONFIG, REFUSED, ask, parser, spoken
from agent.cli.main import WRONG
from agent.clock import SystemClock
from agent.control.protocol import own_name
from agent.settings import SiteSettings
from agent.site_file import load_site
from agent.text import printable, sentence


def main(argv: Sequence[str]) -> int:
    """Return 0 when all is as it was accepted, 1 when it is not or was never, 2 for a mistake."""
    options_of = parser("inventory")
    options_of.add_argument("action", choices=("accept", "show"))
    options_of.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    options_of.add_argument("--by", default="", help="accept: who takes it over")
    options_of.add_argument("--unseen", action="store_true", help="accept: what is not seen, too")
    options = options_of.parse_args(argv)
    if (options.action == "accept") != bool(options.by.strip()):
        options_of.error("accept takes --by NAME, nothing else does")
    site = load_site(options.config).site
    if site is None:
        _say(options, "patrol_report.no_settings", path=str(options.config))
        return WRONG
    if options.socket is None:
        options.socket = site.control.socket
    present = _present(options, site)
    if present is None:
        return REFUSED
    try:
        if options.action == "accept":
            return _accept(options, site.state.directory, present)
        return _show(options, site.state.directory, present)
    except OSError as error:
        path = str(site.state.directory / accepted_list.FILE)
        _say(options, "inventory.not_possible", file=path, why=error.strerror or "")
    except ValueError as error:
        _say(options, "inventory.unreadable", file=str(error))
    return WRONG


def _present(options: argparse.Namespace, site: SiteSettings) -> Sequence[Item] | None:
    """Ask the running daemon; None: it does not answer, which has been said."""
    reply = ask(options, "status")
    if reply is None:
        return None
    listed: dict[str, Mapping[str, str]] = {}
    for recorder in site.recorder:
        known = ask(options, "recorder-show", recorder=recorder.id)
        if known is None:
            return None
        listed[recorder.id] = known.data.get("channels", {})
    return accepted_list.items(site, reply.data["states"], listed)


def _accept(options: argparse.Namespace, directory: Path, present: Sequence[Item]) -> int:
    unseen = [one.id for one in present if one.seen != "yes"]
    if unseen and not options.unseen:
        _say(options, "inventory.unseen_refused", ids=", ".join(unseen))
        return REFUSED
    by = f"{options.by.strip()} ({own_name()})"
    accepted = Accepted(by=by, at=SystemClock().now(), items=tuple(present))
    accepted_list.save(directory, accepted)
    _say(options, "inventory.accepted", count=len(present), by=by)
    return 0


def _show(options: argparse.Namespace, directory: Path, present: Sequence[Item]) -> int:
    accepted = accepted_list.load(directory)
    if accepted is None:
        _say(options, "inventory.never")
        return REFUSED
    at = f"{accepted.at.astimezone():%Y-%m-%d %H:%M}"
    _say(options, "inventory.was_accepted", by=accepted.by, at=at, count=len(accepted.items))
    found = accepted_list.findings(accepted.items, present)
    different = [one for one in found if one.word != "found"]
    for one in different:
        what = sentence(spoken(options), f"inventory.kind_{one.kind}")
        about = {"what": what, **one.model_dump(exclude={"word", "kind"})}
        for name in ("was", "now"):
            if one.fact == "key_area":
                about[name] = sentence(spoken(options), f"word.{about[name]}")
        about["fact"] = sentence(spoken(options), f"inventory.fact_{one.fact}") if one.fact else ""
        _say(options, f"inventory.{one.word}", **about)
    _say(options, "inventory.sum", found=len(found) - len(different), different=len(different))
    return REFUSED if different else 0


def _say(options: argparse.Namespace, code: str, **params: object) -> None:
    refusals = ("patrol_report.no_settings", "inventory.not_possible", "inventory.unreadable")
    out = sys.stderr if code in (*refusals, "inventory.unseen_refused") else sys.stdout
    print(printable(sentence(spoken(options), code, **params)), file=out)
