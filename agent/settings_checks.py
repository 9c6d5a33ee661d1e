"""Checks of a site's settings that no single key can fail: what must be unique, what must match."""

from collections.abc import Collection, Hashable, Iterable, Iterator

from agent.problems import KeyPath, Problem
from agent.settings import DUTIES, UNMEASURED_DUTIES, Duty, SiteSettings
from agent.settings_alarm import AlarmModule
from drivers.alarm.modbus import LINE_KEYS

# What in the file says that the site has this duty's hardware.
_SERVED_BY: dict[Duty, tuple[str, ...]] = {
    "alarm": ("alarm_module", "alarm_loop", "alarm_receiver"),
    "recordings": ("recorder",),
    "pictures": ("recorder",),
    "patrol": ("nfc_reader", "checkpoint", "guard_card", "patrol"),
    "police_link": (),
    "gate_manned": ("post",),
}

DEVICES = frozenset(
    {
        *("alarm_module", "alarm_loop", "alarm_receiver"),
        *("nfc_reader", "checkpoint", "guard_card", "post", "round", "recorder"),
    }
)

EMPTY = "config.empty"
# What hangs on a device without serving a duty.
_ASIDE = (("contact",), ("output",))


def duties_without(left_out: Iterable[KeyPath]) -> frozenset[Duty]:
    """Return the duties of which a device, or a part of one, was left out of a bad file."""
    sections = {path[0] for path in left_out if path and path[2:3] not in _ASIDE} & DEVICES
    return frozenset(duty for duty, kinds in _SERVED_BY.items() if sections & set(kinds))


def cross_checks(site: SiteSettings, present: Collection[str]) -> Iterator[Problem]:
    """Yield what does not fit together; `present` are the file's own top-level names.

    Of two that clash the later one is named, and alarm modules come first.
    """
    if "broker" not in present:
        yield Problem(code="config.missing_section", params={"key": "broker"}, path=("broker",))
    tls = site.broker.tls if site.broker is not None else None
    if tls is not None and (tls.certificate is None) != (tls.key is None):
        missing = "certificate" if tls.certificate is None else "key"
        path: KeyPath = ("broker", "tls")
        yield Problem(code="config.tls_pair", params={"missing": missing}, path=path)
    yield from _unique("config.id_twice", ids(site))
    yield from _unique("config.port_twice", _ports(site))
    yield from _buses(site)
    yield from _empty(site)
    yield from _inputs(site)
    for index, receiver in enumerate(site.alarm_receiver):
        yield from _unique(
            "config.zone_twice",
            (
                ((zone.account.upper(), zone.partition, zone.zone), zone.id, path)
                for number, zone in enumerate(receiver.button)
                for path in [("alarm_receiver", index, "button", number, "account")]
            ),
        )
    for index, recorder in enumerate(site.recorder):
        yield from _unique(
            "config.channel_twice",
            (
                (channel.number, channel.id, ("recorder", index, "channel", number, "number"))
                for number, channel in enumerate(recorder.channel)
            ),
        )
    yield from _unique("config.tag_twice", _tags(site))
    yield from _patrol(present)
    yield from _times(site)
    yield from _rounds(site)
    yield from _sun(site)
    yield from _guard_at_reader(site)
    yield from _duties(site, present)


def ids(site: SiteSettings) -> Iterator[tuple[str, str, KeyPath]]:
    """Yield every id of the file, twice, and where it stands."""
    for index, module in enumerate(site.alarm_module):
        yield module.id, module.id, ("alarm_module", index, "id")
        for number, button in enumerate(module.button):
            yield button.id, button.id, ("alarm_module", index, "button", number, "id")
        for number, contact in enumerate(module.contact):
            yield contact.id, contact.id, ("alarm_module", index, "contact", number, "id")
        for number, output in enumerate(module.output):
            yield output.id, output.id, ("alarm_module", index, "output", number, "id")
    for index, loop in enumerate(site.alarm_loop):
        yield loop.id, loop.id, ("alarm_loop", index, "id")
    for index, receiver in enumerate(site.alarm_receiver):
        yield receiver.id, receiver.id, ("alarm_receiver", index, "id")
        for number, zone in enumerate(receiver.button):
            yield zone.id, zone.id, ("alarm_receiver", index, "button", number, "id")
    of_patrol = {
        "nfc_reader": [reader.id for reader in site.nfc_reader],
        "checkpoint": [checkpoint.id for checkpoint in site.checkpoint],
        "guard_card": [card.id for card in site.guard_card],
        "post": [post.id for post in site.post],
        "round": [one.id for one in site.round],
    }
    for section, ids in of_patrol.items():
        yield from ((one, one, (section, index, "id")) for index, one in enumerate(ids))
    for index, recorder in enumerate(site.recorder):
        yield recorder.id, recorder.id, ("recorder", index, "id")
        for number, channel in enumerate(recorder.channel):
            yield channel.id, channel.id, ("recorder", index, "channel", number, "id")


def _tags(site: SiteSettings) -> Iterator[tuple[str, str, KeyPath]]:
    """A tag marks one checkpoint or one post, or is one guard's card."""
    for index, checkpoint in enumerate(site.checkpoint):
        yield checkpoint.tag, checkpoint.id, ("checkpoint", index, "tag")
    for index, card in enumerate(site.guard_card):
        yield card.tag, card.id, ("guard_card", index, "tag")
    for index, post in enumerate(site.post):
        yield post.tag, post.id, ("post", index, "tag")


def _buses(site: SiteSettings) -> Iterator[Problem]:
    """Modules may share a port: each with a unit of its own, all with the same line."""
    first: dict[str, AlarmModule] = {}
    for index, module in enumerate(site.alarm_module):
        other = first.setdefault(module.port, module)
        if module.line != other.line:
            key = next(key for key in LINE_KEYS if getattr(module, key) != getattr(other, key))
            yield Problem(
                code="config.bus_differs",
                params={"key": key, "other": other.id},
                path=("alarm_module", index, key),
                device=module.id,
            )
    yield from _unique(
        "config.unit_twice",
        (
            ((module.port, module.unit), module.id, ("alarm_module", index, "unit"))
            for index, module in enumerate(site.alarm_module)
        ),
    )


def _ports(site: SiteSettings) -> Iterator[tuple[str, str, KeyPath]]:
    buses: set[str] = set()
    for index, module in enumerate(site.alarm_module):
        if module.port not in buses:
            yield module.port, module.id, ("alarm_module", index, "port")
        buses.add(module.port)
    for index, loop in enumerate(site.alarm_loop):
        yield loop.port, loop.id, ("alarm_loop", index, "port")
    for index, receiver in enumerate(site.alarm_receiver):
        yield receiver.port, receiver.id, ("alarm_receiver", index, "port")
    for index, reader in enumerate(site.nfc_reader):
        yield reader.port, reader.id, ("nfc_reader", index, "port")


def _unique(code: str, of: Iterable[tuple[Hashable, str, KeyPath]]) -> Iterator[Problem]:
    first: dict[Hashable, str] = {}
    for value, device, path in of:
        if value in first:
            yield Problem(code=code, params={"other": first[value]}, path=path, device=device)
        else:
            first[value] = device


def _empty(site: SiteSettings) -> Iterator[Problem]:
    for index, module in enumerate(site.alarm_module):
        if not module.button and not module.contact:
            path: KeyPath = ("alarm_module", index, "button")
            yield Problem(code=EMPTY, params={"key": "button"}, path=path, device=module.id)
    for index, recorder in enumerate(site.recorder):
        if not recorder.channel:
            path = ("recorder", index, "channel")
            yield Problem(code=EMPTY, params={"key": "channel"}, path=path, device=recorder.id)


def _inputs(site: SiteSettings) -> Iterator[Problem]:
    for index, module in enumerate(site.alarm_module):
        wired = [
            (button.input, button.id, ("alarm_module", index, "button", number, "input"))
            for number, button in enumerate(module.button)
        ] + [
            (contact.input, contact.id, ("alarm_module", index, "contact", number, "input"))
            for number, contact in enumerate(module.contact)
        ]
        yield from _unique("config.input_twice", wired)
        for used, device, path in wired:
            if used >= module.inputs:
                params = {"module": module.id, "last": module.inputs - 1}
                yield Problem(code="config.no_such_input", params=params, path=path, device=device)
        lamps = [
            (output.output, output.id, ("alarm_module", index, "output", number, "output"))
            for number, output in enumerate(module.output)
        ]
        yield from _unique("config.output_twice", lamps)
        for used, device, path in lamps:
            if used >= module.outputs:
                params = {"module": module.id, "outputs": module.outputs}
                yield Problem(code="config.no_such_output", params=params, path=path, device=device)
        for number, button in enumerate(module.button):
            if button.wiring == "supervised":
                # One digital input cannot tell rest from a short, or a press from a cut wire.
                path = ("alarm_module", index, "button", number, "wiring")
                yield Problem(code="config.cannot_supervise", path=path, device=button.id)


def _patrol(present: Collection[str]) -> Iterator[Problem]:
    """A reader may be there before its checkpoints: it takes a reader to enrol their tags."""
    begun = [key for key in _SERVED_BY["patrol"] if key in present]
    for needed in ("nfc_reader", "checkpoint"):
        if begun not in ([], ["nfc_reader"]) and needed not in present:
            params = {"key": needed}
            yield Problem(code="config.patrol_lacks", params=params, path=(begun[0],))


def _times(site: SiteSettings) -> Iterator[Problem]:
    windows, tours = len(site.patrol.windows), site.patrol.tours_min_per_day
    if 0 < windows < tours:
        params: dict[str, str | int | float] = {"windows": windows, "tours": tours}
        yield Problem(code="config.few_windows", params=params, path=("patrol", "windows"))
    for index, post in enumerate(site.post):
        if post.school_days_only and not post.times:
            path = ("post", index, "school_days_only")
            yield Problem(code="config.post_times", path=path, device=post.id)


def _sun(site: SiteSettings) -> Iterator[Problem]:
    """Only a reader that has the keys can ask a tag for its proof."""
    asking = False
    for index, reader in enumerate(site.nfc_reader):
        if reader.sun_keys is not None and reader.driver != "pn532":
            path: KeyPath = ("nfc_reader", index, "sun_keys")
            yield Problem(code="config.no_sun", path=path, device=reader.id)
        else:
            asking = asking or reader.sun_keys is not None
    for index, checkpoint in enumerate(site.checkpoint):
        if checkpoint.require == "sun" and not asking:
            path = ("checkpoint", index, "require")
            yield Problem(code="config.sun_unread", path=path, device=checkpoint.id)


def _rounds(site: SiteSettings) -> Iterator[Problem]:
    rounds = {one.id for one in site.round}
    for index, point in enumerate(site.checkpoint):
        if point.round is not None and point.round not in rounds:
            path: KeyPath = ("checkpoint", index, "round")
            params = {"round": point.round}
            yield Problem(code="config.no_such_round", params=params, path=path, device=point.id)
    named = {point.round for point in site.checkpoint}
    for index, one in enumerate(site.round):
        if one.id not in named:
            yield Problem(code="config.round_empty", path=("round", index, "id"), device=one.id)


def _guard_at_reader(site: SiteSettings) -> Iterator[Problem]:
    """What cards may do must be possible, and no copy nor cut wire may be enough for it."""
    policy = site.guard_at_reader
    ways = {"reset": policy.reset, "test_window": policy.test_window}
    wanted = {key: 2 if way == "two_cards" else 1 for key, way in ways.items() if way != "off"}
    wanted |= {"opens_tour": 1} if policy.opens_tour else {}
    for key, needed in wanted.items():
        if len(site.guard_card) < needed:
            params: dict[str, str | int | float] = {"key": key, "needed": needed}
            params["cards"] = len(site.guard_card)
            yield Problem(code="config.few_cards", params=params, path=("guard_at_reader", key))
    asking = any(one.sun_keys is not None and one.driver == "pn532" for one in site.nfc_reader)
    for key, way in ways.items():
        path: KeyPath = ("guard_at_reader", key)
        if way == "two_cards" and not asking:
            yield Problem(code="config.two_cards_sun", params={"key": key}, path=path)
        if way == "key" and policy.key_contact is None:
            yield Problem(code="config.key_unnamed", params={"key": key}, path=path)
    if policy.key_contact is not None and "key" in ways.values():
        yield from _key_contact(site, policy.key_contact)


def _key_contact(site: SiteSettings, name: str) -> Iterator[Problem]:
    contacts = {one.id: one for module in site.alarm_module for one in module.contact}
    path: KeyPath = ("guard_at_reader", "key_contact")
    if name not in contacts:
        yield Problem(code="config.no_such_contact", params={"contact": name}, path=path)
    elif contacts[name].normal == "closed":
        yield Problem(code="config.key_normal", params={"contact": name}, path=path)


def _duties(site: SiteSettings, present: Collection[str]) -> Iterator[Problem]:
    for duty in DUTIES:
        served = any(key in present for key in _SERVED_BY[duty])
        served = served or (duty == "police_link" and site.configured(duty))
        declared = site.not_fitted.reason(duty) is not None
        path = ("not_fitted", duty)
        if served and declared:
            yield Problem(code="config.duty_both", params={"duty": duty}, path=path)
        elif not served and not declared and duty not in UNMEASURED_DUTIES:
            yield Problem(code="config.duty_missing", params={"duty": duty}, path=path)
