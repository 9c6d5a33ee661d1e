"""`campus-agent camera accept CAMERA`: what it shows now is what it is to show from now on."""

from collections.abc import Sequence

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.text import printable, sentence


def main(argv: Sequence[str]) -> int:
    """Return 0 when it was done, 1 when it was refused."""
    options_of = parser("camera")
    options_of.add_argument("action", choices=("accept",))
    options_of.add_argument("camera")
    options = options_of.parse_args(argv)
    if ask(options, "camera-accept", camera=options.camera) is None:
        return REFUSED
    print(printable(sentence(spoken(options), "camera.accepted", camera=options.camera)))
    return 0
