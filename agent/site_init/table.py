"""Many sites from one table: every row is checked before the first file is written."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import tomlkit
from pydantic import TypeAdapter, ValidationError

from agent.settings import Duty, Recorder
from agent.settings_types import Host
from agent.site_file import read_site
from agent.site_init.document import default_broker, default_text, new_file
from agent.site_init.draft import (
    CHANNEL_NUMBERS,
    Draft,
    Identity,
    NewChannel,
    NewModule,
    NewReader,
    NewRecorder,
)
from agent.site_init.identity import checks
from agent.site_init.questions import RefusedError, numbers
from agent.text import Language, printable, sentence

NEEDED = ("site_id", "name", "county", "broker")
OPTIONAL = (
    *("nvr_host", "nvr_driver", "nvr_user", "channels", "key_areas"),
    *("alarm_port", "alarm_wiring", "reader_port", "reader_driver"),
)
LARGEST_TABLE_BYTES = 2_000_000
MOST_SITES = 5000
SITE_FILE = "site.toml"
_HOST: TypeAdapter[str] = TypeAdapter(Host)
_DRIVERS = get_args(Recorder.model_fields["driver"].annotation)
_READERS = ("pn532", "em4100")
_WIRINGS = ("no", "nc")


class Mistake(NamedTuple):
    """What is wrong with one cell; `column` is empty where it is the row."""

    row: int
    column: str
    said: str


class BadTableError(Exception):
    """Nothing is written."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(f"{len(mistakes)} mistakes")
        self.mistakes = mistakes


def site_texts(
    path: Path, defaults: tomlkit.TOMLDocument, lang: Language, day: str
) -> dict[str, str]:
    """Return each site's file by its id. Raises BadTableError, RefusedError, OSError."""
    mistakes: list[Mistake] = []
    texts: dict[str, str] = {}
    reason = sentence(lang, "init.reason_table", day=day)
    for row, cells in _rows(_text(path), lang, mistakes):
        reading = _Row(row, cells, lang, mistakes)
        site = cells["site_id"]
        if site in texts:
            reading.wrong("site_id", "init.table_twice")
        text = reading.text(defaults, reason)
        if text is not None:
            texts[site] = text
    if mistakes:
        raise BadTableError(mistakes)
    if not texts:
        raise RefusedError("init.table_empty", file=str(path))
    return texts


def write_sites(out: Path, texts: Mapping[str, str]) -> None:
    """Write one folder a site, all or none. Raises RefusedError, OSError."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RefusedError("init.out_not_empty", file=str(out))
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as made:
        fresh = Path(made) / "sites"
        for site, text in texts.items():
            folder = fresh / site
            folder.mkdir(parents=True)
            (folder / SITE_FILE).write_text(text, encoding="utf-8")
        if out.exists():
            out.rmdir()
        fresh.rename(out)


def _text(path: Path) -> str:
    """Read a table as spreadsheets write it: UTF-8, or GBK where they are Chinese."""
    content = path.read_bytes()
    if len(content) > LARGEST_TABLE_BYTES:
        raise RefusedError("init.table_too_large", file=str(path))
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RefusedError("init.table_unreadable", file=str(path))


def _rows(
    text: str, lang: Language, mistakes: list[Mistake]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each row, the head being 1, and its cells by column."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    row = 0
    try:
        head = [cell.strip().lower() for cell in next(reader, [])]
        row = 1
        lacking = [name for name in NEEDED if name not in head]
        strange = [name for name in head if name not in (*NEEDED, *OPTIONAL)]
        twice = sorted({name for name in head if head.count(name) > 1})
        for code, names in (
            ("init.table_lacks_column", lacking),
            ("init.table_no_such_column", strange),
            ("init.table_column_twice", twice),
        ):
            mistakes += [Mistake(1, printable(one)[:32], sentence(lang, code)) for one in names]
        if mistakes:
            return
        for row, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if row > MOST_SITES:
                mistakes.append(Mistake(row, "", sentence(lang, "init.table_too_long")))
                return
            if len(cells) != len(head):
                said = sentence(lang, "init.table_cells", found=len(cells), wanted=len(head))
                mistakes.append(Mistake(row, "", said))
                continue
            empty = dict.fromkeys(OPTIONAL, "")
            yield row, empty | dict(zip(head, map(str.strip, cells), strict=True))
    except csv.Error:
        mistakes.append(Mistake(row + 1, "", sentence(lang, "init.table_garbled")))


class _Row:
    """One row: its cells, and what is wrong with them."""

    def __init__(
        self, row: int, cells: Mapping[str, str], lang: Language, mistakes: list[Mistake]
    ) -> None:
        self._row = row
        self._cells = cells
        self._lang = lang
        self._mistakes = mistakes

    def wrong(self, column: str, code: str, **params: object) -> None:
        """Note a mistake."""
        said = sentence(self._lang, code, **params)
        self._mistakes.append(Mistake(self._row, column, said))

    def text(self, defaults: tomlkit.TOMLDocument, reason: str) -> str | None:
        """Return the row's site as a file; None where something is wrong."""
        before = len(self._mistakes)
        cells = {
            **self._cells,
            "county": self._cells["county"] or default_text(defaults, "site", "county"),
            "broker": self._cells["broker"] or default_broker(defaults),
        }
        identity = Identity(cells["county"], cells["site_id"], cells["name"], cells["broker"])
        for column, part in (
            ("county", "county"),
            ("site_id", "site"),
            ("name", "name"),
            ("broker", "broker"),
        ):
            said = checks(self._lang)[part](cells[column])
            if said is None and not cells[column].isprintable():
                said = sentence(self._lang, "init.unreadable_answer")
            if said is not None:
                self._mistakes.append(Mistake(self._row, column, said))
        draft = Draft(self._modules(), self._readers(), self._recorders())
        if len(self._mistakes) > before:
            return None
        declared = defaults.get("not_fitted")
        known = declared if isinstance(declared, Mapping) else {}
        reasons: dict[Duty, str] = dict.fromkeys(draft.unserved(known), reason)
        text = new_file(identity, defaults, draft, reasons, self._lang)
        for problem in read_site(text.encode()).problems:
            self.wrong("", problem.code, **problem.params)
        return text if len(self._mistakes) == before else None

    def _modules(self) -> list[NewModule]:
        port = self._path("alarm_port")
        wiring = self._one_of("alarm_wiring", _WIRINGS, needs="alarm_port")
        if not port:
            return []
        name = sentence(self._lang, "init.name_button")
        kind: Literal["nc", "no"] = "nc" if wiring == "nc" else "no"
        return [NewModule("gatehouse-io", port, "gate", name, kind)]

    def _readers(self) -> list[NewReader]:
        port = self._path("reader_port")
        driver = self._one_of("reader_driver", _READERS, needs="reader_port")
        if not port:
            return []
        name = sentence(self._lang, "init.name_reader")
        return [NewReader("gate-reader", name, "em4100" if driver == "em4100" else "pn532", port)]

    def _recorders(self) -> list[NewRecorder]:
        cells = self._cells
        driver = self._one_of("nvr_driver", _DRIVERS, needs="nvr_host")
        for column in ("channels", "key_areas", "nvr_user"):
            if cells[column] and not cells["nvr_host"]:
                self.wrong(column, "init.table_needs", other="nvr_host")
        if not cells["nvr_host"]:
            return []
        try:
            _HOST.validate_python(cells["nvr_host"])
        except ValidationError:
            self.wrong("nvr_host", "config.bad_host", key="nvr_host")
        channels = self._channels()
        name = sentence(self._lang, "init.name_recorder")
        return [
            NewRecorder(
                id="nvr-1",
                name=name,
                driver=cast("Literal['hikvision', 'dahua', 'onvif', 'auto']", driver or "auto"),
                host=cells["nvr_host"],
                username=cells["nvr_user"] or "inspector",
                secret=("credential", "nvr-1"),
                channels=channels,
            )
        ]

    def _channels(self) -> tuple[NewChannel, ...]:
        """Read `16`, which is how many there are, or `1-8;12`, which are their numbers."""
        said = self._cells["channels"]
        count = int(said) if said.isascii() and said.isdecimal() and len(said) < 4 else 0
        try:
            listed = list(range(1, count + 1)) if count else numbers(said, CHANNEL_NUMBERS)
        except ValueError:
            listed = []
        if not listed or listed[-1] not in CHANNEL_NUMBERS:
            self.wrong("channels", "init.table_channels")
            return ()
        try:
            ticked = numbers(self._cells["key_areas"], listed)
        except ValueError as error:
            self.wrong("key_areas", "init.bad_numbers", detail=printable(str(error))[:20])
            return ()
        return tuple(
            NewChannel(
                number,
                f"cam-{number}",
                sentence(self._lang, "init.name_channel", number=number),
                key_area=number in ticked,
            )
            for number in listed
        )

    def _path(self, column: str) -> str:
        value = self._cells[column]
        if value and not (value.startswith("/") and value.isprintable()):
            self.wrong(column, "config.not_absolute", key=column)
        return value

    def _one_of(self, column: str, allowed: tuple[str, ...], *, needs: str) -> str:
        value = self._cells[column].lower()
        if value and not self._cells[needs]:
            self.wrong(column, "init.table_needs", other=needs)
        elif value and value not in allowed:
            self.wrong(column, "config.one_of", key=column, expected=", ".join(allowed))
        return value
