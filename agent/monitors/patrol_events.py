"""What a scan and a tour are told as. Pure."""

from datetime import datetime

from agent.county.contract import Event
from agent.county.event_data import ScanEventData, TourEventData
from agent.monitors.tally import Ended
from agent.monitors.tours import Counted, TourBook
from drivers.readings import ScanReading

SITE = "site"


def refused_event(scan: ScanReading, book: TourBook) -> Event | None:
    """Tell of a tag that is not taken for the one whose number it shows; None: it is."""
    claimed = book.claimed(scan.tag_id)
    refused = scan.refused
    data = _scan_data(scan, claimed.id if claimed is not None else None)
    if refused is not None:
        return _event(scan, data.model_copy(update={"refused": refused}))
    if scan.assurance != "sun" and claimed is not None and claimed.require == "sun":
        return _event(scan, data.model_copy(update={"refused": "not_sun"}))
    return None


def late_event(scan: ScanReading, book: TourBook) -> Event:
    """Tell of a scan of a day that is not counted any more."""
    claimed = book.claimed(scan.tag_id)
    data = _scan_data(scan, claimed.id if claimed is not None else None)
    return _event(scan, data.model_copy(update={"too_late": True}))


def scan_event(scan: ScanReading, counted: Counted, post: str | None) -> Event:
    """Tell of a scan, and what it meant."""
    meant = {
        "folded": counted.folded,
        "guard": counted.guard,
        "post": post,
        "too_fast": counted.too_fast,
        "out_of_order": counted.out_of_order,
    }
    return _event(scan, _scan_data(scan, counted.checkpoint).model_copy(update=meant))


def tour_event(ended: Ended, book: TourBook, moment: datetime, *, late: bool = False) -> Event:
    """Tell how a tour ended."""
    what, tour = ended
    data = TourEventData(
        what=what,
        tour=tour.id,
        duty_day=tour.duty_day,
        number=book.completed(tour.duty_day),
        started_at=tour.started.wall,
        missed_checkpoints=book.missed(tour),
        guard=tour.guard,
        too_soon=tour.too_soon,
        window=None if tour.window is None else tour.window.span,
        outside=tour.outside,
        late_upload=late,
    )
    return Event(subject=SITE, time=moment, data=data)


def _scan_data(scan: ScanReading, checkpoint: str | None) -> ScanEventData:
    return ScanEventData(
        reader=scan.device_id,
        checkpoint=checkpoint,
        tag_id=scan.tag_id,
        assurance=scan.assurance,
        wand=scan.wand,
        guard_tag=scan.guard_tag,
        device_time=scan.device_time,
        offset_seconds=scan.offset_seconds,
        remarks=scan.remarks,
    )


def _event(scan: ScanReading, data: ScanEventData) -> Event:
    return Event(subject=scan.device_id, time=scan.observed_at, data=data)
