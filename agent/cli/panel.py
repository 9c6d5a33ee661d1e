"""`campus-agent panel`: serves the page for the screen in the gatehouse until it is stopped."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from agent.cli.daemon import DEFAULT_CONFIG, parser, spoken
from agent.control.client import call
from agent.control.protocol import CommandError, socket_path
from agent.inventory import named_objects
from agent.panel.server import HOST, PanelServer
from agent.panel.view import Screen, shown, unanswered
from agent.site_file import load_site
from agent.text import printable, sentence

WRONG = 2


def main(argv: Sequence[str]) -> int:
    """Serve until interrupted; 2 when the settings or the port cannot be had."""
    options_of = parser("panel")
    options_of.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    options_of.add_argument("--port", type=int, default=None)
    options = options_of.parse_args(argv)
    lang = spoken(options)
    site = load_site(options.config, lenient=True).site
    if site is None:
        text = sentence(lang, "panel.no_settings", path=str(options.config))
        print(printable(text), file=sys.stderr)
        return WRONG
    names = {
        (kind, one): name
        for kind, objects in named_objects(site).items()
        for one, name in objects.items()
        if name
    }
    screen = Screen(site.site.name, site.site.zone, lang, names)
    asked = socket_path(os.environ, options.socket or site.control.socket)
    port = site.panel.port if options.port is None else options.port
    try:
        server = PanelServer(port, screen, partial(_body, asked, screen))
    except OSError as error:
        why = error.strerror or str(error)
        text = sentence(lang, "panel.no_port", port=port, why=why)
        print(printable(text), file=sys.stderr)
        return WRONG
    print(sentence(lang, "panel.serving", address=f"http://{HOST}:{server.port}/"), flush=True)
    with server:
        server.serve_forever()
    return 0


def _body(asked: Path, screen: Screen) -> str:
    """Ask the daemon; whatever it says or does not say, there is something to show."""
    try:
        reply = call(asked, "status")
    except CommandError:
        return unanswered(screen)
    states = reply.data.get("states") if reply.ok else None
    if not isinstance(states, list) or not states:
        return unanswered(screen)
    return shown(states, screen, datetime.now(UTC))
