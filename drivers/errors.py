"""The error tree of all drivers: each class says whether trying again can help."""


class DriverError(Exception):
    """A device could not be read; the message is one sentence for a technician."""

    reason = "internal"


class DeviceUnreachableError(DriverError):
    """Nothing answers at the device's address or port: try again with back-off."""

    reason = "unreachable"


class DeviceTimeoutError(DeviceUnreachableError):
    """The device was reached and did not answer in time: try again."""

    reason = "timeout"


class PortLostError(DeviceUnreachableError):
    """The port went away or cannot be opened: close it and open it again."""

    reason = "port_lost"


class BusyError(DriverError):
    """The device refuses for now (Modbus exception 6, HTTP 503, RTSP 453): try again later."""

    reason = "busy"


class ProtocolError(DriverError):
    """The answer makes no sense; count it and try again. Quotes the frame, shortened."""

    reason = "malformed"


class AuthenticationError(DriverError):
    """The device refuses the login: stop, and tell a person."""

    reason = "auth_rejected"


class PermitRefusedError(DriverError):
    """Our own gate lets nothing through: the login budget is spent or the device has us locked."""

    reason = "paused"


class UnsupportedDeviceError(DriverError):
    """The device lacks what is asked of it: do not try again until it is changed."""

    reason = "not_supported"


class ForbiddenError(UnsupportedDeviceError):
    """The login lacks a right on the device: do not try again until a person grants it."""

    reason = "forbidden"
