"""The support bundle of a whole running school, looked through for passwords and pictures."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.system.gatehouse import BROKER_PASSWORD, PASSWORD, Gatehouse
from tests.system.leaks import a_picture, pictures_in, secret_in

PATIENCE_SECONDS = 40


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Gatehouse]:
    school = Gatehouse(tmp_path)
    named = f'name = "Camera 1, {PASSWORD}"'
    try:
        school.start(change=lambda text: text.replace('name = "Camera 1"', named))
        yield school
    finally:
        school.stop()


def test_a_running_school_is_in_it_and_its_secrets_are_not(school: Gatehouse) -> None:
    school.restart()
    school.expect("recorder/nvr", "ok")
    school.expect("camera/nvr-1", "ok", seconds=30)
    thumbnails = school.directory / "state" / "thumbnails"
    thumbnails.mkdir(exist_ok=True)
    (thumbnails / "nvr-1.jpg").write_bytes(a_picture("jpeg"))
    out = school.directory / "bundle.tar.gz"
    command = [sys.executable, "-m", "agent", "bundle", "--config", str(school.daemon.config)]
    done = subprocess.run(
        [*command, "--out", str(out), "--lang", "zh"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out)
    with tarfile.open(out) as tar:
        members = {one.name.partition("/")[2]: tar.extractfile(one) for one in tar.getmembers()}
        files = {name: file.read() for name, file in members.items() if file is not None}
    for name, content in files.items():
        assert pictures_in(content) == set(), name
        for secret in (PASSWORD, BROKER_PASSWORD):
            assert not secret_in(content, secret), name
            assert quote(secret).encode() not in content, name
    known = json.loads(files["states.json"])
    verdicts = {(one["kind"], one["id"]): one["data"]["verdict"] for one in known["states"]}
    assert verdicts["camera", "nvr-1"] == "ok"
    assert known["link"]["trusted"]
    stores = json.loads(files["stores.json"])["stores"]
    assert {one["quick_check"] for one in stores.values()} == {"ok"}
    assert b"Camera 1, ***" in files["settings.toml"]
    assert b"patrol-today.txt" in files["MANIFEST.txt"]
