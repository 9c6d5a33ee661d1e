"""What a site has: its drivers, the threads that own them, and the monitors that judge them."""

from collections.abc import Callable, Sequence
from datetime import date, time
from pathlib import Path

from agent.camera_rounds import CameraProbe, CameraRounds
from agent.credentials import CredentialError, Credentials
from agent.devices import DeviceThread
from agent.monitors import Instant, Monitor
from agent.monitors.cameras import CamerasMonitor
from agent.monitors.host import HostMonitor
from agent.monitors.patrol import PatrolMonitor
from agent.monitors.retention import RetentionMonitor
from agent.policy import Camera, Channel, RetentionPolicy
from agent.settings import AlarmModule, Recorder, SiteSettings
from agent.store.login_budget import FileLoginBudget
from agent.surveys import Survey
from drivers.alarm.modbus import ModbusDriver
from drivers.base import Clock
from drivers.host import HostDriver
from drivers.nfc.pn532 import Pn532Driver
from drivers.readings import Reading
from drivers.recorder.gate import RecorderGate
from drivers.recorder.hikvision import HikvisionDriver
from drivers.stream import StreamTarget
from drivers.stream_workers import StreamWorkers

Post = Callable[[Reading], None]
HOST_POLL_SECONDS = 30.0
RECORDER_DEADLINE_SECONDS = 60.0
READER_DEADLINE_SECONDS = 3.0
ROUNDS_TO_STALE = 3
