"""Pictures in text: how they look as base64, as hex, and as a program prints bytes."""

import base64
import re
from collections.abc import Callable, Iterator

# JPEG: ITU-T T.81 annex B. PNG: ISO/IEC 15948, 5.2. H.264: ITU-T H.264 annex B, start code.
# GIF, WebP and BMP have no business here either, but no part of the product makes them.
MARKS = (b"\xff\xd8\xff", b"\x89PNG", b"\x00\x00\x01")
# The marks as Latin-1 or a program's own words for bytes have them.
_IN_WORDS = re.compile(r"ÿØÿ|(?i:\\xff\\xd8|\\u00ff\\u00d8|\\x89PNG|\\u0089PNG)")
# Bytes that were read as text.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")
# So long a word in base64's letters is checked, and so long a one is no name: the rest of a
# picture, whose beginning is in another line, has no mark.
_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_LONGEST_WORD, _LONGEST_NAME = 64, 120
_HEX = re.compile(r"[0-9A-Fa-f]+")
_HEX_MARKS = re.compile(r"(?i)ffd8ff|89504e47")
# A digest in hex is evidence; longer than SHA-512's it is something else.
_LONGEST_DIGEST = 128


def without_pictures(text: str, instead: Callable[[int], str]) -> str:
    """Put what `instead` says of its length in place of all that may be of a picture."""

    def checked(found: re.Match[str]) -> str:
        run = found.group()
        return instead(len(run)) if _may_be_of_a_picture(run) else run

    lines = (
        instead(len(line)) if _IN_WORDS.search(line) or _NO_TEXT.search(line) else line
        for line in text.split("\n")
    )
    return _RUN.sub(checked, "\n".join(lines))


def _may_be_of_a_picture(run: str) -> bool:
    letters = run.rstrip("=")
    if _HEX.fullmatch(letters):
        return len(letters) > _LONGEST_DIGEST or _HEX_MARKS.search(letters) is not None
    if len(letters) > _LONGEST_NAME:
        return True
    if len(letters) >= _LONGEST_WORD and not {"-", "_"} & set(letters):
        return True
    return any(mark in view for mark in MARKS for view in decoded(letters))


def decoded(run: str) -> Iterator[bytes]:
    """Decode a run of base64 from each place at which a group of four may begin."""
    plain = run.replace("-", "+").replace("_", "/")
    for start in range(4):
        part = plain[start:]
        yield base64.b64decode(part[: len(part) // 4 * 4])
