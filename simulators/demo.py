"""The demo: a simulated school watched by the real agent, judged by what the county heard."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from simulators import scenario
from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.duty_desk import DutyDesk
from simulators.judge import Judgement, judge
from simulators.scenario import Scenario, Step
from simulators.school import PASSWORD, School
from simulators.truth import Truth

CONFIG = Path(__file__).parents[1] / "config/demo"
STOP_SECONDS = 10


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 only if the county heard everything it must, and nothing it must not."""
    seconds = os.environ.get("DEMO_SECONDS")
    capture_file = Path(arguments[0]) if arguments else None
    play = scenario.load(CONFIG / "scenario.toml", seconds=float(seconds) if seconds else None)
    with tempfile.TemporaryDirectory(prefix="campus-demo-") as name:
        capture = _run(Path(name), play)
    if capture_file is not None:
        lines = [json.dumps(asdict(one), ensure_ascii=False) for one in capture]
        capture_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return _summary(judge(capture, play.expectations), len(capture))


def _run(directory: Path, play: Scenario) -> list[Heard]:
    truth = Truth(directory / "truth.jsonl")
    broker = Broker(directory / "broker", kind=os.environ.get("DEMO_BROKER", ""))
    school = School(directory, play, truth)
    desk = DutyDesk()
    processes: list[subprocess.Popen[bytes]] = []
    county: County | None = None
    try:
        broker.start()
        school.start()
        county = County(broker.port)
        county.start()
        words = {**school.words, "BROKER": str(broker.port), "KEY": desk.public}
        config = _site_file(directory, words)
        address = ["--host", "127.0.0.1", "--port", str(broker.port)]
        print(f"演示 / demo: {broker.kind}, {play.seconds:.0f} s\n", flush=True)
        processes.append(subprocess.Popen([sys.executable, "-m", "agent", "watch", *address]))
        with (directory / "agent.log").open("wb") as log:
            agent = [sys.executable, "-m", "agent", "run", "--config", str(config)]
            processes.append(subprocess.Popen(agent, stdout=log, stderr=log))
        people = {
            ("county", "acknowledge"): partial(desk.acknowledge, county),
            ("guard", "reset"): partial(_reset, directory / "control.sock"),
        }
        school.play(_say, people)
        _end(processes[-1])
        time.sleep(1)
        return county.heard()
    finally:
        for process in reversed(processes):
            _end(process)
        if county is not None:
            county.stop()
        school.stop()
        broker.stop()
        log_file = directory / "agent.log"
        if log_file.exists() and os.environ.get("DEMO_LOG"):
            print(log_file.read_text(encoding="utf-8"), file=sys.stderr)


def _reset(socket: Path) -> None:
    """End the incident as the guard does, once the county has seen it."""
    command = [sys.executable, "-m", "agent", "alarm", "--socket", str(socket), "reset", "gate"]
    subprocess.run(command, timeout=STOP_SECONDS, check=False)


def _site_file(directory: Path, words: dict[str, str]) -> Path:
    text = (CONFIG / "site.toml").read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    secret = directory / "nvr-1.password"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    secret.chmod(0o600)
    file = directory / "site.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _say(step: Step) -> None:
    arguments = " ".join(f"{name}={value}" for name, value in step.arguments.items())
    print(f"[{step.at:5.1f} s] {step.device}: {step.do} {arguments}", flush=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _summary(judgements: Sequence[Judgement], count: int) -> int:
    print(f"\n县平台收到 {count} 条消息 / the county heard {count} messages\n")
    for one in judgements:
        mark = "✓" if one.good else "✗"
        print(f" {mark} {one.expectation.zh} / {one.expectation.en}")
    bad = [one.expectation for one in judgements if not one.good]
    print()
    if bad:
        print(f"未通过 / not as expected: {'; '.join(one.name for one in bad)}")
        return 1
    print("全部收到 / all of it arrived")
    return 0
