"""What must never leave a school, and how it would look in bytes: pictures and passwords."""

import base64
import json
import re
from urllib.parse import quote

import cv2

from simulators.scenes import gate
from simulators.video import encode

# JPEG: ITU-T T.81 annex B, SOI and the next marker. PNG: ISO/IEC 15948, 5.2.
# H.264: ITU-T H.264 annex B, start code prefix.
PICTURE_MARKS = {
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
    "h264": b"\x00\x00\x01",
}
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")


def pictures_in(payload: bytes) -> set[str]:
    """Name the kinds of picture whose mark is in the payload, plain or in base64."""
    views = [payload, *(view for run in _BASE64.findall(payload) for view in _decoded(run))]
    return {kind for kind, mark in PICTURE_MARKS.items() for view in views if mark in view}


def secret_in(text: bytes, secret: str) -> bool:
    """Tell whether a password is in the text: plain, as in a URL, JSON or Basic login."""
    forms = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    views = [text, *(view for run in _BASE64.findall(text) for view in _decoded(run))]
    return any(form.encode() in view for form in forms for view in views)


def a_picture(kind: str) -> bytes:
    """Return a small real picture, or a clip, of that kind."""
    if kind == "h264":
        return encode(gate, 160, 96, kbps=100).annex_b()
    done, coded = cv2.imencode({"jpeg": ".jpg", "png": ".png"}[kind], gate(0, 160, 96))
    assert done
    return coded.tobytes()


def _decoded(run: bytes) -> list[bytes]:
    """Decode a run of base64 from each place a group of four may begin."""
    plain = run.replace(b"-", b"+").replace(b"_", b"/")
    starts = [plain[start:] for start in range(4)]
    return [base64.b64decode(part[: len(part) // 4 * 4]) for part in starts]
