"""The report as a workbook for WPS and Excel."""

from collections.abc import Sequence
from pathlib import Path

import xlsxwriter

from agent.patrol_report.table import Sheet

_WIDEST = 40


def write_workbook(place: Path, headline: str, found: Sequence[Sheet]) -> None:
    """Write one sheet a table, the verdict above the first. Raises OSError."""
    with xlsxwriter.Workbook(str(place), {"strings_to_formulas": False}) as book:
        bold = book.add_format({"bold": True})
        for number, sheet in enumerate(found):
            page = book.add_worksheet(sheet.title)
            top = 0
            if number == 0:
                page.write_string(0, 0, headline, bold)
                top = 2
            page.write_row(top, 0, sheet.head, bold)
            for at, row in enumerate(sheet.rows, top + 1):
                page.write_row(at, 0, row)
            page.freeze_panes(top + 1, 0)
            for column, name in enumerate(sheet.head):
                longest = max([len(str(row[column])) for row in sheet.rows] + [2 * len(name)])
                page.set_column(column, column, min(_WIDEST, longest + 2))
