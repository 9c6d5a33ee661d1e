import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent import __version__

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "fixtures" / "settings"
SECRET = "hunter2-fake"


def _agent(
    *words: str, cwd: Path = ROOT, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *words],
        cwd=cwd,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            **(environ or {}),
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_example_passes_and_its_summary_is_chinese() -> None:
    done = _agent("config", "check", "config/site.example.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "一键报警：1 个模块，1 个按钮" in done.stdout
    assert "未安装 门卫在岗（gate_manned）：post checkpoints are not installed yet\n" in done.stdout
    assert "提示：按钮 gate" in done.stdout
    assert done.stdout.endswith("config/site.example.toml：配置正确\n")


@pytest.mark.parametrize("environ", [{"LC_ALL": "en_US.UTF-8"}, {"PYTHONIOENCODING": "ascii"}])
def test_english_is_spoken_where_it_is_asked_for_or_all_there_is(environ: dict[str, str]) -> None:
    done = _agent("config", "check", "config/site.example.toml", environ=environ)
    assert done.returncode == 0
    assert "the settings are fine" in done.stdout
    assert done.stdout.isascii()


def test_chinese_on_a_console_without_it_is_no_traceback() -> None:
    words = ("config", "check", "config/site.example.toml", "--lang", "zh")
    done = _agent(*words, environ={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bad_file_exits_2_with_its_lines() -> None:
    done = _agent("config", "check", "keys.toml", cwd=GOLDEN)
    assert done.returncode == 2
    assert done.stdout == (GOLDEN / "keys.zh.txt").read_text(encoding="utf-8")


def test_json_for_programs() -> None:
    done = _agent("config", "check", "--json", "--lang", "en", "clashes.toml", cwd=GOLDEN)
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert told["ok"] is False
    assert told["problems"][1] == {
        "code": "config.input_twice",
        "params": {"other": "gate"},
        "path": ["alarm_module", 0, "button", 1, "input"],
        "line": 24,
        "device": "office",
        "sentence": "input used twice: button gate has it",
    }
    good = _agent("config", "check", "--json", "config/site.example.toml")
    assert json.loads(good.stdout)["ok"] is True


def test_the_narrow_console_of_a_technician_keeps_a_problem_on_its_line() -> None:
    done = _agent("config", "check", "more-values.toml", cwd=GOLDEN, environ={"COLUMNS": "40"})
    assert done.stdout == (GOLDEN / "more-values.zh.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "用法：campus-agent"),
        (("confg",), "没有 confg 这个命令，是否要用 config？"),
        (("\x1b[2J",), "没有 ?[2J 这个命令"),
        (("config",), "命令写法有误"),
        (("config", "check"), "命令写法有误"),
        (("config", "chek", "x"), "命令写法有误"),
        (("config", "check", "--lang", "fr", "x"), "命令写法有误"),
        (("config", "check", "--bogus", "x"), "命令写法有误"),
        (("config", "check", "no-such-file.toml"), "no-such-file.toml:1: 文件不存在"),
        (("config", "check", "/"), "/:1: 文件无法读取"),
    ],
)
def test_a_users_mistake_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    done = _agent(*words)
    assert done.returncode == 2
    shown = done.stdout + done.stderr
    assert said in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) <= 2


def test_the_version_and_the_help_work_at_once() -> None:
    for words in (("--version",), ("-V",)):
        assert _agent(*words).stdout == f"campus-agent {__version__}\n"
    assert _agent("--help").returncode == 0
    assert "检查站点配置文件" in _agent("config", "--help").stdout
    assert "exit 0 when fine" in _agent("config", "check", "--help", "--lang=en").stdout


HEAVY = "{'typer', 'rich', 'cv2', 'av', 'pydantic', 'structlog', 'numpy', 'paho'}"


@pytest.mark.parametrize("words", [["--version"], ["run", "x.toml"]])
def test_the_way_to_run_imports_nothing_of_the_other_commands(words: list[str]) -> None:
    code = f"""
import sys, types
stand_in = types.ModuleType("agent.cli.run")
stand_in.main = lambda argv: 7 if argv == ["x.toml"] else 8
sys.modules["agent.cli.run"] = stand_in
from agent.cli.main import main
status = main({words!r})
print(status, sorted(one for one in {HEAVY} if sys.modules.get(one)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"{7 if words[0] == 'run' else 0} []"


@pytest.mark.parametrize("words", ["--version", "config check --json config/site.example.toml"])
def test_a_reader_that_goes_away_is_no_error(words: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "agent", *words.split()],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(timeout=60)


def test_a_crash_of_ours_shows_no_values() -> None:
    code = f"""
import agent.cli.config as config
def broken(path):
    password = {SECRET!r}[:]
    raise RuntimeError("bug")
config.report = broken
config.main(["check", "x"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "RuntimeError: bug" in done.stderr
    assert "╭" not in done.stderr  # typer's own form of a traceback can show local variables
    # The traceback's own source lines cannot show it either: there are none for `-c`.
    assert SECRET not in done.stdout + done.stderr
