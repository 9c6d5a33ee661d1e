"""One site's settings, as its TOML file holds them: frozen, no unknown keys, nothing guessed."""

import zoneinfo
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from agent.county.commands import VERBS, Verb
from agent.policy import (
    AlarmEquipment,
    Button,
    GuardPolicy,
    HostPolicy,
    PicturePolicy,
    RetentionPolicy,
)
from agent.policy_patrol import (
    CalendarPolicy,
    Checkpoint,
    GuardAtReader,
    GuardCard,
    PatrolPolicy,
    Post,
    Round,
)
from agent.settings_alarm import AlarmLoop, AlarmModule, Receiver
from agent.settings_types import (
    BROKER_PORT,
    BROKER_TLS_PORT,
    AbsolutePath,
    CountyPublicKey,
    Host,
    HostPort,
    Id,
    PictureMask,
    SecretReference,
    Tag,
    Text,
    Zone,
    host_and_port,
)
from agent.store.outbox import CAP_BYTES
from drivers.base import DeviceSettings
from drivers.nfc.settings import ReaderSettings
from drivers.recorder.settings import RecorderSettings

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
    outbox_max_bytes: int = Field(
        default=CAP_BYTES,
        ge=16 << 10,
        description="what alarms and what all other events may take on disk, each; alarms are kept",
    )


class PanelSettings(DeviceSettings):
    """[panel]: the page for the gatehouse's screen, on 127.0.0.1 alone (`campus-agent panel`)."""

    port: int = Field(default=8088, ge=1024, le=65_535)


class ControlSettings(DeviceSettings):
    """[control]: the local socket for commands; default: in systemd's runtime directory."""

    socket: AbsolutePath | None = None


class CountyKey(DeviceSettings):
    """[[county_key]]: whose commands are obeyed; the public half, so no secret."""

    id: Id
    public: CountyPublicKey


class Commands(DeviceSettings):
    """[commands]: which signed commands of the county are obeyed besides `ack`."""

    ack: bool = True
    diag: bool = False
    replay: bool = False
    resync: bool = False
    test: bool = False

    @property
    def allowed(self) -> frozenset[Verb]:
        """Return the verbs that are on."""
        return frozenset(verb for verb in VERBS if getattr(self, verb))


class BrokerTls(DeviceSettings):
    """[broker.tls]: files in PEM; they may be renewed under a running agent."""

    ca: AbsolutePath | None = Field(
        default=None, description="who signs the brokers' certificates; default: whom Debian trusts"
    )
    certificate: AbsolutePath | None = Field(
        default=None, description="the site's own; its common name is the site's id"
    )
    key: SecretReference | None = Field(default=None, description="private key of `certificate`")


class BrokerSettings(DeviceSettings):
    """[broker]: the county's brokers, tried in turn."""

    hosts: tuple[HostPort, ...] = Field(min_length=1)
    status_seconds: float = Field(default=60, ge=1, le=3600)
    username: Text | None = Field(default=None, description="default: the site's id")
    password: SecretReference | None = None
    tls: BrokerTls | None = None

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The hosts as (host, port), in the order to try them."""
        default = BROKER_PORT if self.tls is None else BROKER_TLS_PORT
        pairs = (host_and_port(host, default) for host in self.hosts)
        return tuple((host.strip("[]"), int(port)) for host, port in pairs)


class NfcReader(ReaderSettings):
    """[[nfc_reader]]: a reader that guards hold their card or tag to."""

    id: Id
    name: str = ""
    port: Text
    sun_keys: SecretReference | None = Field(
        default=None,
        description="keys of tags that prove that they are no copy (NTAG 424 DNA, SUN): two lines "
        "of 32 hex digits, the meta key and the master key",
    )


class SiteCheckpoint(Checkpoint):
    """[[checkpoint]]."""

    id: Id
    name: Text
    tag: Tag


class SiteGuardCard(GuardCard):
    """[[guard_card]]: only these are of the site's filed guards."""

    id: Id
    name: Text
    tag: Tag


class SiteGuardAtReader(GuardAtReader):
    """[guard_at_reader]: what a guard may do with a card at a reader, besides saying who walks."""

    key_contact: Id | None = Field(
        default=None, description="id of the [[alarm_module.contact]] that is the key switch"
    )


class SitePost(Post):
    """[[post]]."""

    id: Id
    name: Text
    tag: Tag


class SiteRound(Round):
    """[[round]]."""

    id: Id
    name: Text


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
    installed: date | None = Field(
        default=None, description="a new camera has no older recordings: it grows from here"
    )
    police_id: str | None = Field(
        default=None, pattern=r"^\d{20}$", description="its 20 digits in the police link"
    )
    stream: Literal["sub", "main", "snapshot"] = Field(
        default="sub", description="what the picture check looks at; `snapshot`: single pictures"
    )
    ptz: bool = Field(default=False, description="steered: it has no view of its own")
    mask: tuple[PictureMask, ...] = Field(
        default=(),
        max_length=8,
        description="not to be looked at: [left, top, right, bottom] in per cent of the picture",
    )
    expect: ExpectedStream = ExpectedStream()


class Recorder(RecorderSettings):
    """[[recorder]]: a recorder and those of its channels that are watched."""

    id: Id
    name: str = ""
    driver: Literal["hikvision", "dahua", "onvif", "auto"]
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
    commands: Commands = Commands()
    alarm_module: tuple[AlarmModule, ...] = ()
    alarm_loop: tuple[AlarmLoop, ...] = ()
    alarm_receiver: tuple[Receiver, ...] = ()
    guard: GuardPolicy = GuardPolicy()
    nfc_reader: tuple[NfcReader, ...] = ()
    checkpoint: tuple[SiteCheckpoint, ...] = ()
    guard_card: tuple[SiteGuardCard, ...] = ()
    guard_at_reader: SiteGuardAtReader = SiteGuardAtReader()
    post: tuple[SitePost, ...] = ()
    round: tuple[SiteRound, ...] = ()
    patrol: PatrolPolicy = PatrolPolicy()
    calendar: CalendarPolicy = CalendarPolicy()
    panel: PanelSettings = PanelSettings()
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
            return bool(self.alarm_module or self.alarm_loop or self.alarm_receiver)
        if duty in ("recordings", "pictures"):
            return bool(self.recorder)
        if duty == "gate_manned":
            return bool(self.nfc_reader) and bool(self.post)
        if duty == "police_link":
            return any(recorder.police_link is not None for recorder in self.recorder)
        return duty == "patrol" and bool(self.nfc_reader) and bool(self.checkpoint)

    @property
    def can_be_acknowledged(self) -> bool:
        """Tell whether an incident could be acknowledged by the county, if there ever is one."""
        return bool(self.county_key) or not self.configured("alarm")

    @property
    def panic_buttons(self) -> tuple[Button, ...]:
        """Every panic button the file names, whatever it hangs on."""
        wired = (button for module in self.alarm_module for button in module.button)
        zones = (button for receiver in self.alarm_receiver for button in receiver.button)
        return (*wired, *(loop.wired for loop in self.alarm_loop), *zones)

    @property
    def alarm_equipment(self) -> AlarmEquipment:
        """All lines to panic buttons, as the alarm monitor knows them."""
        return AlarmEquipment(
            modules=tuple(module.wired for module in self.alarm_module),
            loops=tuple(loop.wired for loop in self.alarm_loop),
            receivers=tuple(receiver.wired for receiver in self.alarm_receiver),
        )

    @property
    def serial_ports(self) -> tuple[str, ...]:
        """Every serial port the file names."""
        return (
            *(module.port for module in self.alarm_module),
            *(loop.port for loop in self.alarm_loop),
            *(receiver.port for receiver in self.alarm_receiver),
            *(reader.port for reader in self.nfc_reader if reader.driver != "wand"),
        )
