"""What the settings are made of: ids, names, hosts, paths, and where secrets are kept."""

import difflib
import re
import zoneinfo
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from agent.county.commands import public_key
from drivers.base import DeviceSettings

# As registered with IANA: mqtt and secure-mqtt.
BROKER_PORT, BROKER_TLS_PORT = 1883, 8883

_ID = re.compile(r"[a-z0-9-]{1,32}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_TAG = re.compile(r"[a-z0-9]+:([0-9A-F]{2})+")


def _checked_id(value: str) -> str:
    if _ID.fullmatch(value) is None:
        raise PydanticCustomError("bad_id", "not an id")
    return value


def _checked_zone(value: str) -> str:
    zones = zoneinfo.available_timezones()
    if value not in zones:
        near = difflib.get_close_matches(value, zones, n=1)
        raise PydanticCustomError("bad_zone", "not a zone", {"near": near[0] if near else ""})
    return value


def _checked_host(value: str) -> str:
    if _HOST.fullmatch(value) is None:
        raise PydanticCustomError("bad_host", "not a host")
    return value


def host_and_port(value: str, default: int) -> tuple[str, str]:
    """Split `host:port`; of an IPv6 address the port follows its brackets."""
    host, colon, port = value.rpartition(":")
    return (host, port) if colon and not value.endswith("]") else (value, str(default))


def _checked_host_port(value: str) -> str:
    host, port = host_and_port(value, BROKER_PORT)
    good_port = port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65_535
    if _HOST.fullmatch(host) is None or not good_port:
        raise PydanticCustomError("bad_host_port", "not host:port")
    return value


def _checked_tag(value: str) -> str:
    if _TAG.fullmatch(value) is None:
        raise PydanticCustomError("bad_tag", "not a tag")
    return value


def _checked_mask(value: tuple[int, ...]) -> tuple[int, ...]:
    inside = len(value) == 4 and all(0 <= one <= 100 for one in value)
    if not inside or value[0] >= value[2] or value[1] >= value[3]:
        raise PydanticCustomError("bad_mask", "not a mask")
    return value


def _path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value  # TOML has no paths


def _checked_key(value: str) -> str:
    try:
        public_key(value)
    except ValueError:
        raise PydanticCustomError("bad_key", "not a key") from None
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute() or "\0" in str(value):
        raise PydanticCustomError("not_absolute", "not an absolute path")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "blank")
    return value


def _one_place(value: str | None, info: ValidationInfo) -> str | None:
    if "credential" in info.data and (value is None) == (info.data["credential"] is None):
        raise PydanticCustomError("secret_place", "exactly one of credential and file")
    if value is not None and (not value.startswith("/") or "\0" in value):
        raise PydanticCustomError("not_absolute", "not an absolute path")
    return value


Id = Annotated[str, AfterValidator(_checked_id)]
Zone = Annotated[str, AfterValidator(_checked_zone)]
Host = Annotated[str, AfterValidator(_checked_host)]
HostPort = Annotated[str, AfterValidator(_checked_host_port)]
Tag = Annotated[str, AfterValidator(_checked_tag)]
PictureMask = Annotated[tuple[int, ...], AfterValidator(_checked_mask)]
Text = Annotated[str, AfterValidator(_not_blank)]
CountyPublicKey = Annotated[str, AfterValidator(_checked_key)]
AbsolutePath = Annotated[Path, BeforeValidator(_path), AfterValidator(_absolute)]


class SecretReference(DeviceSettings):
    """Where a secret is kept: a name in systemd's credentials directory, or a file of its own."""

    credential: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")] | None = None
    file: Annotated[str | None, AfterValidator(_one_place)] = Field(
        default=None, validate_default=True
    )
