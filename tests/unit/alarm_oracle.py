"""What the alarm path must say, in plain lines: one module, buttons that are open at rest."""


class Oracle:
    """Knows nothing of the agent; `said` is (what, button, incident, press, test, durable)."""

    def __init__(self, names: list[str], latching: set[str]) -> None:
        self.names, self.latching, self.said = names, latching, list[tuple[object, ...]]()
        self.disk, self.mono, self.wall = True, 0.0, 0.0
        self.state, self.unheard = "unheard", set[str]()  # then up or lost; names, after a restart
        self.on, self.low = dict[str, bool](), dict[str, float]()  # as believed; at rest since
        self.case, self.cases = dict[str, tuple[int, int]](), 0  # open incidents, their presses
        self.tests, self.counts = dict[str, float](), dict[str, int]()  # held in a test since
        self.window = (set[str](), 0.0, 0.0)  # whom it covers, and until when by both clocks

    def say(self, what: str, name: str, test: bool = False) -> None:
        case, count = (None, self.counts.get(name)) if test else self.case.get(name, (None, None))
        self.said.append((what, name, case, count if what == "press" else None, test, self.disk))

    def press(self, name: str, live: bool = False) -> None:
        if name in self.window[0] and not live:
            self.counts[name] = self.counts.get(name, 0) + 1
            self.tests[name] = self.mono
            return self.say("press", name, test=True)
        self.tests.pop(name, None)
        self.cases += name not in self.case
        incident, presses = self.case.get(name, (self.cases, 0))
        self.case[name] = (incident, presses + 1)
        return self.say("press", name)

    def still_held(self, name: str) -> None:
        if name in self.tests and name not in self.unheard:
            long = name not in self.latching and self.mono - self.tests[name] >= 5
            if long or name not in self.window[0]:
                self.press(name, live=True)

    def reply(self, levels: dict[str, bool]) -> None:
        was, self.state = self.state, "up"
        for name in self.names if was == "lost" else ():
            self.say("restored", name)
        for name, level in levels.items():
            was_on = self.on.get(name)
            if was_on and not level and self.mono - self.low.setdefault(name, self.mono) < 0.2:
                continue
            self.unheard.discard(name)
            if level:
                self.still_held(name) if was_on else self.press(name)
            elif was_on:
                self.say("release", name, test=self.tests.pop(name, 0) != 0)
            self.on[name] = level
            self.low.pop(name, None)

    def lost(self) -> None:
        for name in self.names if self.state != "lost" else ():
            self.say("trouble", name)
        self.state, self.low = "lost", {}

    def end(self) -> None:
        covered, self.window = self.window[0], (set(), 0.0, 0.0)
        self.say("test_ended", "alarm", test=True)
        for name in sorted(covered):
            self.still_held(name)
