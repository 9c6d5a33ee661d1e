"""The report and the check of the record, by the command, of a school that was lived through."""

import csv
import io
import re
import sqlite3
import subprocess
import zipfile
from collections import Counter
from contextlib import closing
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import pytest

from agent.county.event_data import PatrolDayEventData, ScanEventData, TourEventData
from agent.store import patrol_record
from tests.reported_school import SETTINGS, patrol, store
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import HOUR, NORTH, ROOF, SHANGHAI, SOUTH, School


def lived(directory: Path) -> School:
    """Three days of September: one met, one missed with a stray card, one not observed."""
    clock = SimulatedClock()
    school = School(clock)
    school.live(14 * HOUR, step=600)
    school.events.clear()
    for _ in range(2):
        school.live(3 * HOUR, step=20)
        school.tour()
        school.scan(ROOF)
    school.live(18 * HOUR - 24 * 60, step=20)
    school.tour()
    school.scan("nfca:FEED")
    school.scan(ROOF, assurance="sun", refused="bad_mac")
    school.live(8 * HOUR, step=20)
    school.scan(NORTH)
    school.live(16 * HOUR - 720, step=20)
    school.scan(SOUTH)
    school.lose()
    school.wait(2 * HOUR)
    school.live(22 * HOUR + 60, step=20)
    store(school, directory / "events.db")
    return school


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("school")
    (made / "site.toml").write_text(SETTINGS.format(directory=made), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def school(directory: Path) -> School:
    return lived(directory)


def test_the_verdict_is_at_the_top_in_both_languages(school: School, directory: Path) -> None:
    del school
    met = patrol(directory, "report", "--day", "2026-09-02", "--lang", "en")
    assert met.returncode == 0, met.stderr
    assert met.stdout.splitlines()[0] == "2026-09-02: duty met, 2 tours of 2"
    missed = patrol(directory, "report", "--day", "2026-09-03", "--lang", "zh")
    assert missed.stdout.splitlines()[0] == "2026-09-03：未达标，完成 1 次，要求 2 次"
    unseen = patrol(directory, "report", "--day", "2026-09-04", "--lang", "en")
    assert "not observed throughout (12" in unseen.stdout.splitlines()[0]
    nothing = patrol(directory, "report", "--day", "2026-08-01", "--lang", "en")
    assert nothing.stdout.splitlines()[0] == "2026-08-01: there is no record of this day"


def test_the_tables_hold_what_was_told_and_no_more(school: School, directory: Path) -> None:
    """A slow count over the events themselves is the truth."""
    place = directory / "month.csv"
    done = patrol(directory, "report", "--month", "2026-09", "--csv", str(place), "--lang", "en")
    assert done.returncode == 0, done.stderr
    text = place.read_text(encoding="utf-8-sig")
    tables: list[list[list[str]]] = [[]]
    for row in csv.reader(io.StringIO(text)):
        if row:
            tables[-1].append(row)
        else:
            tables.append([])
    days, tours, due, scans = (table[2:] for table in tables[:4])
    assert due == []  # no time and no post was set
    completed, heard = Counter[date](), Counter[tuple[str, str]]()
    for event in school.events:
        data = event.data
        local = event.time.astimezone(SHANGHAI)
        if isinstance(data, TourEventData) and data.what == "completed":
            completed[data.duty_day] += 1
        if isinstance(data, ScanEventData) and not data.folded:
            heard[local.date().isoformat(), local.strftime("%H:%M:%S")] += 1
    verdicts = {
        event.data.duty_day: event.data.what
        for event in school.events
        if isinstance(event.data, PatrolDayEventData)
    }
    assert [(row[0], int(row[2])) for row in days[1:4]] == [
        (f"2026-09-0{day}", completed[date(2026, 9, day)]) for day in (2, 3, 4)
    ]
    words = {"met": "met", "missed": "missed", "not_observed": "not observed"}
    for row in days[1:4]:
        assert row[1] == words[verdicts[date.fromisoformat(row[0])]]
    assert Counter((row[0], row[1]) for row in scans) == heard
    assert {row[2] for row in scans} == {
        "北墙<b>&", "South wall", "'=Roof", "unknown tag",
    }  # fmt: skip
    assert [row[4:7] for row in scans if "refused" in row[6]] == [
        ["sun", "gate", "refused: proof wrong, perhaps a copy"]
    ]
    assert [row[6] for row in tours].count("complete") == sum(completed.values())
    assert "South wall" in [row[7] for row in tours if row[6] == "incomplete"]


def test_a_workbook_opens_and_holds_the_same_cells(school: School, directory: Path) -> None:
    del school
    place = directory / "day.xlsx"
    done = patrol(directory, "report", "--day", "2026-09-02", "--xlsx", str(place), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    # ECMA-376: sheets share their texts, cells name them by number.
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(place) as book:
        texts = [
            "".join(part.text or "" for part in one.iter(f"{{{space['m']}}}t"))
            for one in ET.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert b"<f>" not in book.read("xl/worksheets/sheet3.xml")
    cells = [
        texts[int(value.text or 0)] if cell.get("t") == "s" else value.text
        for cell in sheet.iterfind(".//m:c", space)
        if (value := cell.find("m:v", space)) is not None
    ]
    assert cells[0] == "2026-09-02：达标，完成 2 次，要求 2 次"
    assert cells[-6:-1] == ["2026-09-02", "达标", "2", "2", "6"]


class Page(HTMLParser):
    """What a browser would meet: elements, texts, and whatever it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = Counter[str]()
        self.fetched: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.fetched += [name for name, _ in attrs if name in {"src", "href", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("asked", [("--day", "2026-09-02"), ("--month", "2026-09")])
def test_a_page_to_sign_is_whole_and_fetches_nothing(
    asked: tuple[str, str], school: School, directory: Path
) -> None:
    del school
    place = directory / "page.html"
    done = patrol(directory, "report", *asked, "--html", str(place), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    text = place.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.fetched == []
    assert page.elements["script"] == page.elements["b"] == page.elements["link"] == 0
    assert not re.search(r"url\(|@import|https?:", text)
    assert (page.elements["svg"], page.elements["table"]) == (1, 1)
    shown = " ".join(page.texts)
    assert "Anping <No. 1> 小学" in shown
    assert "校长" in shown
    with closing(sqlite3.connect(directory / "events.db")) as db:
        assert patrol_record.seal(db).hash in shown
    if asked[0] == "--day":
        assert page.elements["circle"] == 6  # a dot for every scan: two tours, and the roof twice
        assert "北墙<b>&" in shown


def test_mistakes_are_one_sentence(school: School, directory: Path, tmp_path: Path) -> None:
    del school
    bad = patrol(directory, "report", "--month", "2026-13", "--lang", "en")
    assert (bad.returncode, bad.stderr) == (2, "2026-13 is no month; write it as 2026-09\n")
    where = str(tmp_path / "no" / "such.csv")
    refused = patrol(directory, "report", "--csv", where, "--lang", "en")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"{where} could not be written:")
    (tmp_path / "site.toml").write_text(SETTINGS.format(directory=tmp_path), encoding="utf-8")
    absent = patrol(tmp_path, "verify", "--lang", "en")
    assert absent.returncode == 2
    assert "cannot be read" in absent.stderr
    assert "Traceback" not in absent.stderr


def test_a_changed_record_is_found(school: School, directory: Path, tmp_path: Path) -> None:
    del school
    whole = patrol(directory, "verify", "--lang", "en")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.startswith("the record is whole:")
    copy = tmp_path / "events.db"
    with (
        closing(sqlite3.connect(directory / "events.db")) as db,
        closing(sqlite3.connect(copy)) as other,
    ):
        db.backup(other)
        other.execute("UPDATE patrol_record SET body = replace(body, 'nfca:AA', 'nfca:BB')")
        other.commit()
    (tmp_path / "site.toml").write_text(SETTINGS.format(directory=tmp_path), encoding="utf-8")
    found = patrol(tmp_path, "verify", "--lang", "zh")
    assert found.returncode == 1
    assert re.match(r"第 \d+ 号记录被改动", found.stderr)


def test_today_is_open(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SETTINGS.format(directory=tmp_path), encoding="utf-8")
    school = School(SimulatedClock())
    school.clock.jump((datetime.now().astimezone() - school.clock.now()) / timedelta(seconds=1))
    school.live(60)
    school.scan(NORTH)
    store(school, tmp_path / "events.db")
    today = patrol(tmp_path, "report", "--lang", "en")
    assert today.returncode == 0, today.stderr
    assert "not over yet, 0 tours of 2 so far" in today.stdout


@pytest.mark.deep
@pytest.mark.parametrize("asked", [("--day", "2026-09-02"), ("--month", "2026-09")])
def test_chromium_prints_one_page_with_chinese_glyphs(
    asked: tuple[str, str], school: School, directory: Path
) -> None:
    del school
    place, printed, shown = (directory / f"{asked[0]}.{form}" for form in ("html", "pdf", "png"))
    done = patrol(directory, "report", *asked, "--html", str(place), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    browse(f"--print-to-pdf={printed}", place)
    browse(f"--screenshot={shown}", place)
    assert len(re.findall(rb"/Type /Page\b", printed.read_bytes())) == 1
    picture = cv2.imread(str(shown))
    assert picture is not None
    assert not (picture[:, -4:] < 128).any()  # nothing is cut off at the edge


def browse(what: str, place: Path) -> None:
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command = [*browser, "--window-size=800,1130", what, place.as_uri()]
    subprocess.run(command, check=True, timeout=90, capture_output=True)


@pytest.mark.deep
def test_chinese_is_shown_in_glyphs_of_its_own(
    school: School, directory: Path, tmp_path: Path
) -> None:
    """Glyphs that are missing are boxes, and boxes are all alike."""
    del school
    page = directory / "glyphs.html"
    done = patrol(directory, "report", "--html", str(page), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    [style] = re.findall(r"<style>(.*?)</style>", page.read_text(encoding="utf-8"), re.DOTALL)
    seen = []
    for number, sign in enumerate("巡更校长"):
        one, shown = tmp_path / f"{number}.html", tmp_path / f"{number}.png"
        one.write_text(f"<meta charset=utf-8><style>{style}</style><h1>{sign}</h1>", "utf-8")
        browse(f"--screenshot={shown}", one)
        seen.append(shown.read_bytes())
    assert len(set(seen)) == 4


@pytest.mark.deep
def test_libreoffice_reads_the_same_cells(school: School, directory: Path) -> None:
    del school
    place = directory / "office.xlsx"
    done = patrol(directory, "report", "--day", "2026-09-02", "--xlsx", str(place), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    convert = ["soffice", "--headless", "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76"]
    subprocess.run([*convert, "--outdir", str(directory), str(place)], check=True, timeout=110)
    text = place.with_suffix(".csv").read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][0] == "2026-09-02：达标，完成 2 次，要求 2 次"
    assert rows[-1][:5] == ["2026-09-02", "达标", "2", "2", "6"]
