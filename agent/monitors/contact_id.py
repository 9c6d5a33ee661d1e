"""What the codes of Contact ID mean to us: SIA DC-05-1999.09, "Event codes"."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from agent.findings import Cause
from drivers.readings import ContactIdEvent


class Kind(StrEnum):
    """What a code asks for: a `note` is recorded, and opens or closes nothing."""

    ALARM = "alarm"
    TAMPER = "tamper"
    TROUBLE = "trouble"
    TEST = "test"
    NOTE = "note"


class Meaning(NamedTuple):
    """`cause` is a code of the text catalogue; what is to be audited somebody did on purpose."""

    kind: Kind
    cause: str
    audit: bool = False


def _all(codes: Iterable[int | str], meaning: Meaning) -> dict[str, Meaning]:
    return {str(code): meaning for code in codes}


_CODES: dict[str, Meaning] = {
    "101": Meaning(Kind.ALARM, "receiver.personal_emergency"),
    "121": Meaning(Kind.ALARM, "receiver.duress"),
    "122": Meaning(Kind.ALARM, "receiver.silent_alarm"),
    "123": Meaning(Kind.ALARM, "receiver.audible_alarm"),
    **_all((124, 125), Meaning(Kind.ALARM, "receiver.duress")),
    **_all((137, 144, 145, 341, 383), Meaning(Kind.TAMPER, "receiver.tamper")),
    # DC-05 files them under burglary, yet they tell of a broken wire, module or radio link.
    **_all((141, 142, 143), Meaning(Kind.TROUBLE, "receiver.expander")),
    "147": Meaning(Kind.TROUBLE, "receiver.sensor_lost"),
    **_all((300, 310, 312), Meaning(Kind.TROUBLE, "receiver.panel_fault")),
    "301": Meaning(Kind.TROUBLE, "receiver.mains_lost"),
    "302": Meaning(Kind.TROUBLE, "receiver.battery_low"),
    **_all((309, 311), Meaning(Kind.TROUBLE, "receiver.battery_bad")),
    "305": Meaning(Kind.TROUBLE, "receiver.panel_reset"),
    "306": Meaning(Kind.TROUBLE, "receiver.panel_reprogrammed", audit=True),
    "308": Meaning(Kind.TROUBLE, "receiver.panel_shutdown"),
    **_all((330, 333), Meaning(Kind.TROUBLE, "receiver.expander")),
    **_all(range(350, 358), Meaning(Kind.TROUBLE, "receiver.panel_line")),
    **_all((370, 371, 372, 373, 375, 376), Meaning(Kind.TROUBLE, "receiver.loop_fault")),
    "380": Meaning(Kind.TROUBLE, "receiver.sensor_fault"),
    **_all((381, 382), Meaning(Kind.TROUBLE, "receiver.sensor_lost")),
    "384": Meaning(Kind.TROUBLE, "receiver.sensor_battery_low"),
    "406": Meaning(Kind.NOTE, "receiver.cancelled"),
    # 572 is the one for zones watched round the clock, such as a panic button's.
    **_all(range(570, 578), Meaning(Kind.TROUBLE, "receiver.bypassed", audit=True)),
    **_all((601, 602, 603), Meaning(Kind.TEST, "receiver.test")),
    "607": Meaning(Kind.TEST, "receiver.walk_test"),
    "608": Meaning(Kind.NOTE, "receiver.test_with_trouble"),
    "611": Meaning(Kind.TEST, "receiver.point_tested"),
    "612": Meaning(Kind.NOTE, "receiver.point_not_tested"),
}
# By their beginning: codes that are not in the table, and those that makers add to DC-05's.
_BEGINNINGS: dict[str, Meaning] = {
    "10": Meaning(Kind.ALARM, "receiver.medical"),
    "11": Meaning(Kind.ALARM, "receiver.fire"),
    "12": Meaning(Kind.ALARM, "receiver.panic"),
    "13": Meaning(Kind.ALARM, "receiver.burglary"),
    "14": Meaning(Kind.ALARM, "receiver.burglary"),
    "1": Meaning(Kind.ALARM, "receiver.other_alarm"),
    "2": Meaning(Kind.TROUBLE, "receiver.other_trouble"),
    "3": Meaning(Kind.TROUBLE, "receiver.other_trouble"),
    "4": Meaning(Kind.NOTE, "receiver.access"),
    "5": Meaning(Kind.TROUBLE, "receiver.switched_off", audit=True),
    "6": Meaning(Kind.NOTE, "receiver.other_note"),
}
_UNLISTED = Meaning(Kind.NOTE, "receiver.unlisted")


def meaning(code: str) -> Meaning:
    """Return what a code means; a code nobody listed is judged by how it begins."""
    digits = code.upper().replace("A", "0")  # DC-05: a 0 goes over the telephone as A
    for known in (digits, digits[:2], digits[:1]):
        found = _CODES.get(known) or _BEGINNINGS.get(known)
        if found is not None:
            return found
    return _UNLISTED


def cause(event: ContactIdEvent) -> Cause:
    """Say a message as a cause; its `zone` is a user where the code speaks of one."""
    return Cause(
        code=meaning(event.code).cause,
        params={
            "code": event.code,
            "account": event.account,
            "partition": event.partition,
            "zone": event.zone,
        },
    )
