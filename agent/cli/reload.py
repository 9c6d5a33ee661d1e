"""`campus-agent reload`: have the running daemon take its settings file anew."""

from collections.abc import Sequence

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.text import printable, sentence


def main(argv: Sequence[str]) -> int:
    """Return 0 when the new settings are in force, 1 when all goes on as it was."""
    options = parser("reload").parse_args(argv)
    reply = ask(options, "reload")
    if reply is None:
        return REFUSED
    changed = ", ".join(reply.data["changed"])
    code = "reload.done" if changed else "reload.nothing"
    print(printable(sentence(spoken(options), code, changed=changed)))
    return 0
