"""What a recorder's disks mean for what it can keep."""

from collections.abc import Mapping, Sequence

from agent.findings import Cause, Verdict
from drivers.readings import Unknown
from drivers.recorder.readings import Volume

# Words of ISAPI and CGI; one that is not here is no opinion.
_BROKEN = frozenset(
    {"unformatted", "error", "offline", "mismatch", "notexist", "smartfailed", "initializing"}
)
_TERABYTE = 10**12


def storage_causes(
    volumes: Sequence[Volume] | Unknown, known: Mapping[str, int]
) -> list[tuple[Verdict, Cause]]:
    """Judge the disks; `known` are the sizes in bytes of those that were there before.

    A full disk is a healthy one: recorders overwrite.
    """
    if isinstance(volumes, Unknown):
        return []
    if not volumes:
        return [(Verdict.FAIL, Cause(code="recorder.no_disk"))]
    writable = [one for one in volumes if one.writable and one.condition not in _BROKEN]
    found: list[tuple[Verdict, Cause]] = []
    if not any(not one.redundant for one in writable):
        found.append((Verdict.FAIL, Cause(code="recorder.no_disk_writable")))
    for one in volumes:
        if one.condition in _BROKEN:
            params: dict[str, str | int | float] = {"disk": one.id, "condition": one.condition}
            found.append((Verdict.WARN, Cause(code="recorder.disk_broken", params=params)))
        elif not one.writable and not one.redundant:
            params = {"disk": one.id}
            found.append((Verdict.WARN, Cause(code="recorder.disk_read_only", params=params)))
    there = {one.id for one in volumes}
    gone = {disk: size for disk, size in known.items() if disk not in there}
    if gone and capacity(volumes) < sum(known.values()):
        params = {
            "disks": ", ".join(sorted(gone)),
            "size_tb": round(sum(gone.values()) / _TERABYTE, 1),
        }
        found.append((Verdict.WARN, Cause(code="recorder.disk_gone", params=params)))
    return found


def capacity(volumes: Sequence[Volume]) -> int:
    """Return the bytes that hold recordings."""
    return sum(one.capacity_bytes or 0 for one in volumes if not one.redundant)


def disks_to_remember(volumes: Sequence[Volume], known: Mapping[str, int]) -> Mapping[str, int]:
    """Return the disks to hold the next answer against: those there now, unless some have gone.

    Replaced ones are forgotten once as much is there as before.
    """
    now = {one.id: one.capacity_bytes or 0 for one in volumes if not one.redundant}
    return now if sum(now.values()) >= sum(known.values()) else {**known, **now}


def missing_terabytes(volumes: Sequence[Volume], short: Sequence[tuple[int, int]]) -> float | None:
    """Return how much disk is missing for channels that hold `depth` of `target` days.

    All channels share the disks, so it is the one that is shortest that tells.
    """
    ratios = [target / depth for depth, target in short if depth > 0]
    if not ratios or not capacity(volumes):
        return None
    return round(capacity(volumes) * (max(ratios) - 1) / _TERABYTE, 1)
