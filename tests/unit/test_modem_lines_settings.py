import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.settings_alarm import AlarmLoop
from drivers.alarm.modem_lines import ModemLinesSettings

EXAMPLE = Path(__file__).parents[2] / "config" / "site.example.toml"
BOTH = {"closed_at_rest": "cts", "open_at_rest": "dsr"}


@pytest.mark.parametrize(
    "port",
    ["socket://10.0.0.5:4001", "loop://", "spy:///dev/ttyS0", "ttyUSB0", "", "rfc2217://host",
     "rfc2217://h:1?poll_modem", "hwgrep://0403", "/"],
)  # fmt: skip
def test_a_port_without_modem_lines_is_refused(port: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ModemLinesSettings(id="loop", port=port, closed_at_rest="cts")
    assert [error["type"] for error in refused.value.errors()] == ["no_modem_lines"]


@pytest.mark.parametrize(
    "port", ["/dev/serial/by-id/usb-FTDI_x", "rfc2217://10.0.0.5:4001", "rfc2217://[fd00::5]:4001"]
)
def test_a_port_that_may_have_modem_lines_is_taken(port: str) -> None:
    assert ModemLinesSettings(id="loop", port=port, closed_at_rest="cts").port == port


def test_the_example_is_right_once_its_comment_signs_are_gone() -> None:
    block = EXAMPLE.read_text(encoding="utf-8").partition("# A button without a module")[2]
    lines = block.partition("# ----")[0].splitlines()[2:]
    [loop] = tomllib.loads("\n".join(line.removeprefix("#") for line in lines))["alarm_loop"]
    assert set(loop) == set(AlarmLoop.model_fields)
    shown = AlarmLoop.model_validate(loop)
    required = {"id": shown.id, "name": shown.name, "driver": "modem_lines", "port": shown.port}
    assert shown == AlarmLoop.model_validate({**required, **BOTH})
    assert shown.wired.wiring == "supervised"
    one_pole = AlarmLoop.model_validate({**required, "open_at_rest": "cts"})
    assert one_pole.wired.wiring == "no"
    one_pole = AlarmLoop.model_validate({**required, "closed_at_rest": "cts"})
    assert one_pole.wired.wiring == "nc"


def test_one_pole_or_two_on_different_lines() -> None:
    def refused(**poles: object) -> list[tuple[str, tuple[int | str, ...]]]:
        with pytest.raises(ValidationError) as error:
            ModemLinesSettings.model_validate({"id": "loop", "port": "/dev/ttyS0", **poles})
        return [(one["type"], one["loc"]) for one in error.value.errors()]

    assert refused() == [("loop_poles", ("open_at_rest",))]
    assert refused(closed_at_rest="ri", open_at_rest="ri") == [("loop_poles", ("open_at_rest",))]
    assert refused(closed_at_rest="dtr") == [("literal_error", ("closed_at_rest",))]
    one = ModemLinesSettings(id="loop", port="/dev/ttyS0", open_at_rest="cd")
    assert not one.supervised
    assert one.model_copy(update={"closed_at_rest": "cts"}).supervised
