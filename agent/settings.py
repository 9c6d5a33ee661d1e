"""One site's settings, as its TOML file holds them: frozen, no unknown keys, nothing guessed."""

import difflib
import re
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from agent.county.commands import public_key
from agent.policy import (
    Button,
    Checkpoint,
    HostPolicy,
    PatrolPolicy,
    PicturePolicy,
    RetentionPolicy,
)
from drivers.alarm.modbus import ModbusSettings
from drivers.base import DeviceSettings
from drivers.nfc.pn532 import Pn532Settings
from drivers.recorder.hikvision import HikvisionSettings

Duty = Literal["alarm", "recordings", "pictures", "patrol", "police_link", "gate_manned"]
DUTIES: tuple[Duty, ...] = (
    "alarm",
    "recordings",
    "pictures",
    "patrol",
    "police_link",
    "gate_manned",
)
# Published as unknown(not_measured) unless the site says why there is nothing to measure.
UNMEASURED_DUTIES: tuple[Duty, ...] = ("police_link", "gate_manned")

DEFAULT_STATE_DIRECTORY = Path("/var/lib/campus-agent")
DEFAULT_BROKER_PORT = 1883

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


def _checked_host_port(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or value.endswith("]"):
        host, port = value, str(DEFAULT_BROKER_PORT)
    good_port = port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65_535
    if _HOST.fullmatch(host) is None or not good_port:
        raise PydanticCustomError("bad_host_port", "not host:port")
    return f"{host}:{port}"


def _checked_tag(value: str) -> str:
    if _TAG.fullmatch(value) is None:
        raise PydanticCustomError("bad_tag", "not a tag")
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
Text = Annotated[str, AfterValidator(_not_blank)]
AbsolutePath = Annotated[Path, BeforeValidator(_path), AfterValidator(_absolute)]


class SecretReference(DeviceSettings):
    """Where a secret is kept: a name in systemd's credentials directory, or a file of its own."""

    credential: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")] | None = None
    file: Annotated[str | None, AfterValidator(_one_place)] = Field(
        default=None, validate_default=True
    )


class Identity(DeviceSettings):
    """[site]: who the school is to the county."""

    county: Id
    id: Id
    name: Text
    timezone: Zone = "Asia/Shanghai"

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The site's calendar days are this zone's."""
        return zoneinfo.ZoneInfo(self.timezone)


class StateSettings(DeviceSettings):
    """[state]: where the databases, the login budget and the references live."""

    directory: AbsolutePath = DEFAULT_STATE_DIRECTORY


class ControlSettings(DeviceSettings):
    """[control]: the local socket for commands; default: in systemd's runtime directory."""

    socket: AbsolutePath | None = None


class CountyKey(DeviceSettings):
    """[[county_key]]: whose commands are obeyed; the public half, so no secret."""

    id: Id
    public: Annotated[str, AfterValidator(_checked_key)]


class BrokerSettings(DeviceSettings):
    """[broker]: the county's brokers, tried in turn."""

    hosts: tuple[HostPort, ...] = Field(min_length=1)
    status_seconds: float = Field(default=60, ge=1, le=3600)
    username: Text | None = Field(default=None, description="default: the site's id")
    password: SecretReference | None = None

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The hosts as (host, port), in the order to try them."""
        pairs = (host.rpartition(":") for host in self.hosts)
        return tuple((host.strip("[]"), int(port)) for host, _, port in pairs)


class SiteButton(Button):
    """[[alarm_module.button]]."""

    id: Id
    name: Text


class AlarmModule(ModbusSettings):
    """[[alarm_module]]: a contact module and the buttons wired to it."""

    id: Id
    driver: Literal["modbus"]
    port: Text
    button: tuple[SiteButton, ...]


class NfcReader(Pn532Settings):
    """[[nfc_reader]]: a reader that guards hold their card or tag to."""

    id: Id
    name: str = ""
    driver: Literal["pn532"]
    port: Text


class SiteCheckpoint(Checkpoint):
    """[[checkpoint]]."""

    id: Id
    name: Text
    tag: Tag


class ExpectedStream(DeviceSettings):
    """What a channel's stream is set to; a probe that finds less says so."""

    fps: float | None = Field(default=None, gt=0, le=120)
    codec: Literal["h264", "h265", "mjpeg"] | None = None


class Channel(DeviceSettings):
    """One channel of a recorder; `number` is the one on the recorder's screen."""

    number: int = Field(ge=1, le=512)
    id: Id
    name: Text
    key_area: bool = False
    stream: Literal["sub", "main"] = "sub"
    expect: ExpectedStream = ExpectedStream()


class Recorder(HikvisionSettings):
    """[[recorder]]: a recorder and those of its channels that are watched."""

    id: Id
    name: str = ""
    driver: Literal["hikvision"]
    host: Host
    username: Text
    password: SecretReference
    channel: tuple[Channel, ...]


class CameraSettings(DeviceSettings):
    """[cameras]: how often every camera is looked at."""

    round_seconds: float = Field(default=300, ge=2, le=86_400)


class NotFitted(DeviceSettings):
    """[not_fitted]: duties this site has no hardware for, each with the reason."""

    alarm: Text | None = None
    recordings: Text | None = None
    pictures: Text | None = None
    patrol: Text | None = None
    police_link: Text | None = None
    gate_manned: Text | None = None

    def reason(self, duty: Duty) -> str | None:
        """Return why there is nothing for this duty, or None."""
        value: str | None = getattr(self, duty)
        return value


def schema() -> dict[str, object]:
    """Return the JSON Schema of a site's file, for editors (`#:schema` in its first line).

    Stricter in one point than the models: a file without [broker] is refused.
    """
    shape = SiteSettings.model_json_schema()
    shape["properties"]["broker"] = {"$ref": "#/$defs/BrokerSettings"}
    shape["required"] = [*shape["required"], "broker"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **shape}


class SiteSettings(DeviceSettings):
    """One school: the whole file. Keys are singular because each [[table]] is one device.

    `broker` is None only when [broker] could not be read: presses are then stored, not sent.
    """

    site: Identity
    state: StateSettings = StateSettings()
    control: ControlSettings = ControlSettings()
    broker: BrokerSettings | None = None
    county_key: tuple[CountyKey, ...] = ()
    alarm_module: tuple[AlarmModule, ...] = ()
    nfc_reader: tuple[NfcReader, ...] = ()
    checkpoint: tuple[SiteCheckpoint, ...] = ()
    patrol: PatrolPolicy = PatrolPolicy()
    recorder: tuple[Recorder, ...] = ()
    retention: RetentionPolicy = RetentionPolicy()
    cameras: CameraSettings = CameraSettings()
    pictures: PicturePolicy = PicturePolicy()
    host: HostPolicy = HostPolicy()
    not_fitted: NotFitted = NotFitted()

    @property
    def broker_username(self) -> str:
        """The name to log in with at the broker."""
        named = self.broker.username if self.broker is not None else None
        return named or self.site.id

    def configured(self, duty: Duty) -> bool:
        """Tell whether the site has something that serves the duty and that we can measure."""
        if duty == "alarm":
            return bool(self.alarm_module)
        if duty in ("recordings", "pictures"):
            return bool(self.recorder)
        return duty == "patrol" and bool(self.nfc_reader) and bool(self.checkpoint)

    @property
    def serial_ports(self) -> tuple[str, ...]:
        """Every serial port the file names."""
        modules = tuple(module.port for module in self.alarm_module)
        return modules + tuple(reader.port for reader in self.nfc_reader)
