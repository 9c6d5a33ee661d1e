"""Pages of an ISAPI search: what is asked, what is read, and when a search is over."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import UnsupportedDeviceError
from drivers.recorder.hikvision_search import DIALECTS, HikvisionSearch, _body, _page
from drivers.recorder.isapi import Isapi, Reply, parse
from drivers.recorder.quirks import QuirkSheet
from drivers.recordings import Segment
from simulators.archive import SimulatedChannel
from simulators.hikvision_search import SearchManners, SearchRefused, document, search

FIXTURES = Path(__file__).parents[1] / "fixtures"
NOW = datetime(2026, 9, 1, 12)  # noqa: DTZ001 - a recorder's wall clock
DAY = timedelta(days=1)


def reply(body: bytes) -> Reply | None:
    root = parse(body)
    return None if root is None else Reply(root, datetime(2026, 9, 1, tzinfo=UTC), 0.0)


class FakeIsapi(Isapi):
    """Hands every search to a simulated firmware, without a wire."""

    def __init__(self, channel: SimulatedChannel, manners: SearchManners) -> None:
        self.channel, self.manners = channel, manners
        self.bodies: list[str] = []

    def ask(self, method: str, path: str, body: str | None = None, *, deadline: float) -> Reply:
        del deadline
        assert (method, path) == ("POST", "/ISAPI/ContentMgmt/search")
        assert body is not None
        self.bodies.append(body)
        assert len(self.bodies) < 500
        found = search(body, [self.channel], self.manners, NOW, timedelta(hours=8))
        if isinstance(found, SearchRefused):
            raise UnsupportedDeviceError(found.sub)
        said = reply(document(found, 'version="2.0"').encode())
        assert said is not None
        return said


def sheet(*, says_more: bool | None, dialect: str = "A") -> QuirkSheet:
    known = QuirkSheet(maker="hikvision", model="m", firmware="f")
    return known.model_copy(update={"search_dialect": dialect, "says_more": says_more})


def test_a_page_of_the_field() -> None:
    said = reply((FIXTURES / "hikvision_search_v484.xml").read_bytes())
    assert said is not None
    page = _page(said, 101)
    assert (page.more, page.nothing) == (True, False)
    assert list(page.found.values()) == [
        Segment(datetime(2026, 8, 1, 0, 0, 3), datetime(2026, 8, 1, 0, 21, 40), locked=False),  # noqa: DTZ001
        Segment(datetime(2026, 8, 1, 0, 21, 40), datetime(2026, 8, 1, 0, 43, 10), locked=True),  # noqa: DTZ001
    ]
    assert not page.whole  # the third makes no sense
    assert not _page(said, 201).found  # what was not asked for is not taken for it


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_bodies_differ_as_the_firmwares_want_it(dialect: str) -> None:
    body = _body(dialect, "8D5C1E0A-3B7F-4C52-9A41-7E2B6C9D0F13", 101, NOW, NOW + DAY, 40, 80)
    assert ("<trackIDList>" in body) == (dialect in "AD")
    assert ("<metadataList>" in body) == (dialect in "AB")
    assert body.startswith("<?xml") == (dialect != "C")
    assert "<searchResultPostion>80</searchResultPostion>" in body
    assert "<startTime>2026-09-01T12:00:00Z</startTime>" in body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_dialect_is_found_by_trying(dialect: str) -> None:
    isapi = FakeIsapi(SimulatedChannel(1), SearchManners(dialects=dialect))
    found, page = HikvisionSearch(isapi, "nvr-1").learn_dialect(101, NOW - DAY, NOW, deadline=0)
    assert found == dialect
    assert page.found
    assert len(isapi.bodies) == DIALECTS.index(dialect) + 1


def test_a_dialect_that_finds_nothing_is_not_taken_while_another_finds_something() -> None:
    isapi = FakeIsapi(SimulatedChannel(1), SearchManners(dialects="AC", mute="A"))
    found, _ = HikvisionSearch(isapi, "nvr-1").learn_dialect(101, NOW - DAY, NOW, deadline=0)
    assert found == "C"


def test_no_dialect_at_all_is_an_error_and_an_empty_archive_is_none() -> None:
    refusing = FakeIsapi(SimulatedChannel(1), SearchManners(supported=False))
    with pytest.raises(UnsupportedDeviceError):
        HikvisionSearch(refusing, "nvr-1").learn_dialect(101, NOW - DAY, NOW, deadline=0)
    empty = FakeIsapi(SimulatedChannel(1, clips=[]), SearchManners())
    found, page = HikvisionSearch(empty, "nvr-1").learn_dialect(101, NOW - DAY, NOW, deadline=0)
    assert (found, page.nothing) == (None, True)


MANNERS = [
    SearchManners(),
    SearchManners(page_max=20),
    SearchManners(page_max=7),
    SearchManners(says_more=False),
    SearchManners(says_more=False, page_max=13),
    SearchManners(repeats=True),
    SearchManners(repeats=True, page_max=11),
    SearchManners(merge=True),
    SearchManners(merge=True, says_more=False),
]


@pytest.mark.parametrize("manners", MANNERS, ids=repr)
@pytest.mark.parametrize("told", [True, False])
def test_every_file_of_a_day_is_listed_whatever_the_firmware_does(
    manners: SearchManners, told: bool
) -> None:
    channel = SimulatedChannel(1, cuts_per_day=200)
    channel.holes = {NOW.date() - 3 * DAY}
    isapi = FakeIsapi(channel, manners)
    start, end = NOW - 4 * DAY, NOW - DAY
    truth = list(channel.held(start, end, NOW))
    # What was learnt is right, or nothing was: then it takes a question more.
    says_more = (manners.says_more and not manners.repeats) if told else None
    found = HikvisionSearch(isapi, "nvr-1").all(
        sheet(says_more=says_more or None if manners.repeats else says_more),
        101,
        start,
        end,
        pages=200,
        deadline=0,
    )
    assert found.complete
    if manners.merge:
        assert len(found.items) == 2
    else:
        assert [one[:2] for one in found.items] == [clip[:2] for clip in truth]


def test_a_search_that_ends_before_its_end_says_so() -> None:
    isapi = FakeIsapi(SimulatedChannel(1, cuts_per_day=200), SearchManners())
    searching = HikvisionSearch(isapi, "nvr-1")
    found = searching.all(sheet(says_more=True), 101, NOW - 3 * DAY, NOW, pages=2, deadline=0)
    assert (len(found.items), found.complete, len(isapi.bodies)) == (80, False, 2)


@pytest.mark.parametrize("says_more", [True, False, None])
def test_an_empty_list_proves_nothing_without_the_words(says_more: bool | None) -> None:
    for silent in (False, True):
        isapi = FakeIsapi(SimulatedChannel(1, clips=[]), SearchManners(silent_when_empty=silent))
        found = HikvisionSearch(isapi, "nvr-1").all(
            sheet(says_more=says_more), 101, NOW - DAY, NOW, pages=200, deadline=0
        )
        assert (found.items, found.complete) == ((), not silent)


def test_one_search_keeps_its_name_and_another_has_its_own() -> None:
    isapi = FakeIsapi(SimulatedChannel(1, cuts_per_day=100), SearchManners())
    searching = HikvisionSearch(isapi, "nvr-1")
    for _ in range(2):
        searching.all(sheet(says_more=True), 101, NOW - DAY, NOW, pages=200, deadline=0)
    names = [re.findall("<searchID>(.*)</searchID>", body)[0] for body in isapi.bodies]
    assert len(names) == 6
    assert len(set(names)) == 2


@pytest.mark.parametrize(("cuts", "more"), [(24, True), (1, None)])
def test_whether_it_says_more_is_learnt_from_one_or_two_questions(
    cuts: int, more: bool | None
) -> None:
    def learn(manners: SearchManners) -> bool | None:
        channel = SimulatedChannel(1, cuts_per_day=cuts, depth_days=0)
        searching = HikvisionSearch(FakeIsapi(channel, manners), "nvr-1")
        return searching.learn_more("A", 101, NOW - DAY, NOW, deadline=0)

    assert learn(SearchManners()) is more
    assert learn(SearchManners(says_more=False)) is (False if more else None)


BITS = st.sampled_from(
    [
        *("<searchMatchItem>", "</searchMatchItem>", "<trackID>101</trackID>", "<lockStatus>lock"),
        *(
            "</lockStatus>",
            "<startTime>2026-08-01T00:00:00Z</startTime>",
            "<endTime>",
            "</endTime>",
        ),
        *("2026-08-01T01:00:00Z", "9999-99-99T99:99:99Z", "<responseStatusStrg>MORE", "<x:y>"),
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(BITS, max_size=30)))
def test_no_bytes_break_the_reader(body: bytes | list[str]) -> None:
    raw = body if isinstance(body, bytes) else f"<r>{''.join(body)}</r>".encode()
    said = reply(raw)
    if said is not None:
        page = _page(said, 101)
        assert all(one.end >= one.start for one in page.found.values())
