"""How the running agent stands with the county's broker, for who asks it."""

from drivers.readings import Frozen


class Link(Frozen):
    """What the running agent knows of its own connection; no `broker`: it has none."""

    broker: str | None
    protocol: str
    trusted: bool
    detail: str
    cut_short: int
