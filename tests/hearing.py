"""What a test listens for at the county."""

from collections.abc import Callable

from simulators.county import County, Heard


def alarm(what: str) -> Callable[[Heard], bool]:
    return lambda heard: heard.kind == "event/alarm" and heard.body["data"]["what"] == what


def button(**data: object) -> Callable[[Heard], bool]:
    return lambda heard: (
        heard.kind == "state/button/gate"
        and all(heard.body["data"][key] == value for key, value in data.items())
    )


def at_rest(county: County) -> None:
    county.wait_for(button(position="rest"), 30)


def all_of(county: County, what: str) -> list[Heard]:
    return [heard for heard in county.heard("event/alarm") if alarm(what)(heard)]
