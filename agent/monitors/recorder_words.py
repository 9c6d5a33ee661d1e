"""What a recorder says of its channels and its clock, as causes."""

from agent.findings import Cause, Verdict, missing
from agent.policy import Channel, RetentionPolicy
from drivers.readings import Reason, Unknown
from drivers.recorder.readings import ChannelReading

# Words of public client code. chanDetectResult is not stable between firmwares: a word that is not
# here is no opinion.
_FAULTS = {
    "notexist": "channel.no_camera",
    "empty": "channel.no_camera",
    "disconnect": "channel.network",
    "disconnected": "channel.network",
    "neterror": "channel.network",
    "networkerror": "channel.network",
    "netunreachable": "channel.network",
    "ipconflict": "channel.ip_conflict",
    "ipaddressconflict": "channel.ip_conflict",
    "userpwerror": "channel.wrong_camera_password",
    "passworderror": "channel.wrong_camera_password",
    "userlocked": "channel.camera_login_locked",
    "streamlimit": "channel.too_many_streams",
    "maxconnect": "channel.too_many_streams",
    "unsupported": "channel.camera_unsupported",
    "notsupport": "channel.camera_unsupported",
}


def channel_cause(channel: Channel, reading: ChannelReading) -> Cause | None:
    """Name what is wrong with a channel by the recorder's own word; None: nothing it knows of."""
    word = reading.condition if isinstance(reading.condition, str) else ""
    params: dict[str, str | int | float] = {"channel": channel.id, "number": channel.number}
    if isinstance(reading.online, Unknown):
        if reading.online.reason is Reason.INCONSISTENT:
            return Cause(code="channel.not_listed", params=params)
        return missing(reading.online)
    code = _FAULTS.get(word)
    if code is not None:
        return Cause(code=code, params={**params, "condition": word})
    if not reading.online:
        return Cause(code="channel.offline", params={**params, "condition": word})
    return None


def clock_cause(offset: float | Unknown, policy: RetentionPolicy) -> tuple[Verdict, Cause] | None:
    """Judge a clock by its offset (device minus ours); None: right enough."""
    if isinstance(offset, Unknown):
        params: dict[str, str | int | float] = {"reason": str(offset.reason)}
        return Verdict.UNKNOWN, Cause(code="recorder.clock_unknown", params=params)
    cause = Cause(code="recorder.clock_off", params={"offset_seconds": round(offset)})
    if abs(offset) > policy.clock_fail_seconds:
        return Verdict.FAIL, cause
    if abs(offset) > policy.clock_warn_seconds:
        return Verdict.WARN, cause
    return None
