"""Why a line of a wand's file is no scan, or a file none at all, for whoever opens the list."""

from collections.abc import Mapping, Sequence
from typing import Literal

Fault = Literal[
    "too_large",
    "too_many",
    "bad_encoding",
    "bad_docking",
    "bad_header",
    "bad_columns",
    "bad_device",
    "bad_seq",
    "bad_tag",
    "bad_guard",
    "bad_time",
    "cut_off",
    "not_yet",
    "too_old",
]

# In both languages side by side: the file is opened in a spreadsheet, far from the agent.
SENTENCES: Mapping[Fault, tuple[str, str]] = {
    "too_large": ("the file is larger than 5 MB", "文件超过 5 MB"),
    "too_many": ("the file has more than 20000 rows", "文件超过 20000 行"),
    "bad_encoding": ("the file is neither UTF-8 nor GBK", "文件编码既不是 UTF-8 也不是 GBK"),
    "bad_docking": (
        "the first line is not # docked_at= with a time such as 2026-09-01T08:00:00",
        "首行不是 # docked_at= 加时间（如 2026-09-01T08:00:00）",
    ),
    "bad_header": (
        "there is no header with device_id, tag and device_time",
        "没有包含 device_id、tag、device_time 的表头",
    ),
    "bad_columns": ("not as many columns as the header has", "列数与表头不符"),
    "bad_device": (
        "device_id is not 1 to 32 letters, digits, dots, dashes or underscores",
        "device_id 应为 1 至 32 位字母、数字、点、短横线或下划线",
    ),
    "bad_seq": ("seq is no number", "seq 不是数字"),
    "bad_tag": (
        "tag is no number such as 3E00A1B2C3 or em4100:3E00A1B2C3",
        "tag 不是卡号（如 3E00A1B2C3 或 em4100:3E00A1B2C3）",
    ),
    "bad_guard": ("guard_tag is no tag's number", "guard_tag 不是卡号"),
    "bad_time": (
        "device_time is no time such as 2026-09-01T08:00:00",
        "device_time 不是时间（如 2026-09-01T08:00:00）",
    ),
    "cut_off": ("the line does not end: the file was cut off", "该行没有换行结尾，文件可能不完整"),
    "not_yet": (
        "its time lies after the docking: the wand's clock is ahead",
        "时间晚于上传时间：巡更棒时钟偏快",
    ),
    "too_old": (
        "older than 90 days: see that the wand's clock is set",
        "早于 90 天前：请检查巡更棒时钟",
    ),
}


def list_of(rejected: Sequence[tuple[int, Fault]]) -> bytes:
    """Write the list of lines set aside; line 0 is the whole file."""
    lines = ["line,reason,原因"]
    for number, fault in rejected:
        english, chinese = SENTENCES[fault]
        lines.append(f'{number},"{english}","{chinese}"')
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode()
