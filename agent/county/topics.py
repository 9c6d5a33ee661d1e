"""The topic tree of the county's contract, version 1; the only place that spells topics."""

import re

ID = re.compile(r"[a-z0-9-]{1,32}")


class Topics:
    """Topics of one site. Ids are `[a-z0-9-]{1,32}`: no names, no addresses, no wildcards."""

    def __init__(self, county: str, site: str) -> None:
        for level in (county, site):
            if not ID.fullmatch(level):
                raise ValueError(f"{level!r} cannot be a topic level: use a-z, 0-9 and -")
        self.root = f"campus/v1/{county}/{site}"

    @property
    def commands(self) -> str:
        """Return the filter of the commands to this site: a root of its own, so none is echoed."""
        return "cmd" + self.root.removeprefix("campus") + "/+"

    @property
    def status(self) -> str:
        """Return the retained birth and will of the site."""
        return f"{self.root}/status"

    @property
    def about(self) -> str:
        """Return the retained inventory of the site."""
        return f"{self.root}/about"

    def state(self, kind: str, object_id: str) -> str:
        """Return the retained state of one object."""
        return f"{self.root}/state/{kind}/{object_id}"

    def reply(self, request: str) -> str:
        """Return where the answer to a command goes; never retained."""
        return f"{self.root}/reply/{request}"

    @property
    def selftest(self) -> str:
        """Return the one own topic that a site may read: what it says there must come back."""
        return self.reply("selftest")

    def event(self, kind: str) -> str:
        """Return the events of one kind; never retained."""
        return f"{self.root}/event/{kind}"
