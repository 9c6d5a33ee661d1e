"""The new parts of a site's file as text, each with a word on where it comes from."""

from collections.abc import Iterator, Mapping, Sequence

import tomlkit

from agent.settings import Duty
from agent.site_init.draft import Draft, Identity, NewModule, NewReader, NewRecorder
from agent.text import Language, printable, sentence


def quoted(text: str) -> str:
    """Return text as TOML writes it."""
    return tomlkit.item(text).as_string()


def identity_block(identity: Identity, timezone: str | None, lang: Language) -> str:
    """Return [site]."""
    lines = [
        "[site]",
        f"county = {quoted(identity.county)}",
        f"id = {quoted(identity.site)}",
        f"name = {quoted(identity.name)}",
    ]
    if timezone is not None:
        lines.append(f"timezone = {quoted(timezone)}")
    title = printable(sentence(lang, "init.comment_file"))
    return "\n".join([f"# {title}", "#   campus-agent config check FILE", "", *lines, ""])


def broker_block(host: str) -> str:
    """Return [broker], as the county gave it by mouth."""
    return f"[broker]\nhosts = [{quoted(host)}]\n"


def not_fitted_lines(reasons: Mapping[Duty, str]) -> str:
    """Return what stands in [not_fitted]."""
    return "".join(f"{duty} = {quoted(reason)}\n" for duty, reason in reasons.items())


def device_blocks(draft: Draft, lang: Language) -> Iterator[tuple[str, str]]:
    """Yield each new device's section and its text."""
    for module in draft.modules:
        yield "alarm_module", _module(module, lang)
    for reader in draft.readers:
        yield "nfc_reader", _reader(reader, lang)
    for recorder in draft.recorders:
        yield "recorder", _recorder(recorder, lang)


def _module(module: NewModule, lang: Language) -> str:
    lines = [
        "[[alarm_module]]",
        _comment(lang, "init.comment_module"),
        f"id = {quoted(module.id)}",
        'driver = "modbus"',
        f"port = {quoted(module.port)}",
        f"baud = {module.baud}",
        f"inputs = {module.inputs}",
    ]
    if module.table != "discrete_inputs":
        lines.append(f"inputs_from = {quoted(module.table)}")
    lines += [
        "",
        "  [[alarm_module.button]]",
        f"  {_comment(lang, 'init.comment_button')}",
        f"  id = {quoted(module.button)}",
        f"  name = {quoted(module.button_name)}",
        "  input = 0",
        f"  wiring = {quoted(module.wiring)}",
    ]
    return _block(lines)


def _reader(reader: NewReader, lang: Language) -> str:
    return _block(
        [
            "[[nfc_reader]]",
            _comment(lang, "init.comment_reader"),
            f"id = {quoted(reader.id)}",
            f"name = {quoted(reader.name)}",
            f"driver = {quoted(reader.driver)}",
            f"port = {quoted(reader.port)}",
        ]
    )


def _recorder(recorder: NewRecorder, lang: Language) -> str:
    where, place = recorder.secret
    lines = ["[[recorder]]"]
    if recorder.note:
        lines.append(f"# {printable(recorder.note)}")
    lines += [
        f"id = {quoted(recorder.id)}",
        f"name = {quoted(recorder.name)}",
        f"driver = {quoted(recorder.driver)}",
        f"host = {quoted(recorder.host)}",
    ]
    if recorder.http_port != 80:
        lines.append(f"http_port = {recorder.http_port}")
    if recorder.rtsp_port != 554:
        lines.append(f"rtsp_port = {recorder.rtsp_port}")
    lines += [
        f"username = {quoted(recorder.username)}",
        f"password = {{ {where} = {quoted(place)} }}  {_comment(lang, 'init.comment_password')}",
    ]
    for channel in recorder.channels:
        lines += [
            "",
            "  [[recorder.channel]]",
            f"  number = {channel.number}",
            f"  id = {quoted(channel.id)}",
            f"  name = {quoted(channel.name)}",
        ]
        if channel.key_area:
            lines.append("  key_area = true")
    return _block(lines)


def _comment(lang: Language, code: str) -> str:
    return f"# {printable(sentence(lang, code))}"


def _block(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
