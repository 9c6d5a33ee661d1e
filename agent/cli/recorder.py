"""`campus-agent recorder ...`: how a recorder's login stands, what was learnt, one try more."""

from collections.abc import Sequence

from agent.cli.daemon import REFUSED, ask, parser, spoken
from agent.text import printable, sentence


def main(argv: Sequence[str]) -> int:
    """Return 0 when it was shown or done, 1 when it was refused."""
    options_of = parser("recorder")
    options_of.add_argument("action", choices=("show", "retry"))
    options_of.add_argument("recorder")
    options = options_of.parse_args(argv)
    lang = spoken(options)
    if options.action == "retry":
        reply = ask(options, "recorder-retry", recorder=options.recorder)
        if reply is None:
            return REFUSED
        print(printable(sentence(lang, "recorder.retry_done", recorder=options.recorder)))
        return 0
    reply = ask(options, "recorder-show", recorder=options.recorder)
    if reply is None:
        return REFUSED
    login = sentence(lang, f"recorder.login_{reply.data['login']}", until=reply.data["held_until"])
    print(printable(login))
    for name, value in reply.data["learnt"].items():
        # Names of the quirk sheet: a technician reads them out to whoever knows the firmware.
        shown = sentence(lang, "recorder.not_learnt") if value is None else str(value)
        print(printable(f"  {name}: {shown}"))
    return 0
