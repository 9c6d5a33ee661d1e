"""The county's broker as config/broker sets it up, with certificates made by its own script."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion

from agent.county.session import Login
from agent.county.tls import Tls
from simulators.broker import Broker

SHIPPED = Path(__file__).parents[2] / "config" / "broker"
COUNTY = "demo-county"
# Each certificate is one connection: who listens and who speaks are two.
NAMES = ("school-a", "school-b", "school-c", "collector", "duty-desk", "listener")
LISTENER = f"user listener\ntopic read campus/v1/{COUNTY}/#\n"


def script(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script that a county runs."""
    command = [str(SHIPPED / "make-certificates.sh"), str(directory), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def made(directory: Path, *clients: str) -> Path:
    """Make an authority, a server and clients."""
    script(directory, "ca", "Demo County Schools").check_returncode()
    script(directory, "server", "localhost", "127.0.0.1").check_returncode()
    for name in clients:
        script(directory, "client", name).check_returncode()
    return directory


class CountyBroker(Broker):
    """Runs the configuration that is shipped; only its paths and its port are other ones."""

    def __init__(self, directory: Path, pki: Path) -> None:
        super().__init__(directory, kind="mosquitto")
        self.pki = pki
        text = (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8")
        for there, here in (
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
            ("/etc/mosquitto/campus", str(pki)),
            ("/var/lib/mosquitto/", f"{directory}/"),
        ):
            assert there in text
            text = text.replace(there, here)
        shipped = (SHIPPED / "acl").read_text(encoding="utf-8")
        (pki / "acl").write_text(shipped + LISTENER, encoding="utf-8")
        (pki / "acl").chmod(0o600)
        self.conf = text + "log_dest none\n"

    def login(self, name: str, pki: Path | None = None) -> Login:
        """Return who a school is, by its certificate."""
        folder = pki or self.pki
        tls = Tls(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
        return Login(f"{COUNTY}-{name}", name, None, tls)

    def tool(self, program: str, name: str, *words: str) -> list[str]:
        """Return the command of a mosquitto client that comes with a certificate."""
        named = {"--cafile": "ca.pem", "--cert": f"{name}.pem", "--key": f"{name}.key"}
        files = [word for option, file in named.items() for word in (option, str(self.pki / file))]
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "-q", "1"]
        return [program, *where, *files, *words]

    def publish(self, name: str, topic: str, text: str) -> str:
        """Publish as `name`; return what the program says of it."""
        command = self.tool("mosquitto_pub", name, "-t", topic, "-m", text)
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout + done.stderr

    @contextmanager
    def hearing(self, name: str, topic: str, file: Path) -> Iterator[Path]:
        """Write down what `name` hears: topic and payload, one line each."""
        command = self.tool("mosquitto_sub", name, "-t", topic, "-F", "%t %p")
        with file.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            try:
                yield file
            finally:
                process.terminate()
                process.wait(10)


class Client:
    """One connection that hears and speaks, by a library of its own."""

    def __init__(self, broker: CountyBroker, name: str, client_id: str = "") -> None:
        self.heard: list[tuple[str, str]] = []
        self.ended = 0
        self._up = threading.Event()
        version = CallbackAPIVersion.VERSION2
        self._client = mqtt.Client(version, client_id or name, protocol=mqtt.MQTTv5)
        files = (broker.pki / "ca.pem", broker.pki / f"{name}.pem", broker.pki / f"{name}.key")
        ca, certificate, key = (str(file) for file in files)
        self._client.tls_set(ca, certificate, key)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: self._up.set()
        self._client.on_message = lambda _c, _u, one: self.heard.append(
            (one.topic, one.payload.decode())
        )
        self._client.on_disconnect = self._disconnected
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._up.wait(10)

    def publish(self, topic: str, text: str) -> None:
        """Publish and wait until the broker has answered."""
        self._client.publish(topic, text, 1).wait_for_publish(10)

    def stop(self) -> None:
        """End."""
        self._client.disconnect()
        self._client.loop_stop()

    def _disconnected(self, *_: object) -> None:
        self.ended += 1


class Authority:
    """Signs certificates that no county would: expired, early, for another name."""

    def __init__(self, directory: Path, name: str = "Demo County Schools") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        mine = self._built(self._name, self._key, now, 10, 3650)
        mine = mine.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write("ca", mine.sign(self._key, hashes.SHA256()), self._key)

    def issue(
        self, file: str, subject: str, *, host: str = "", since_days: int = 1, until_days: int = 365
    ) -> None:
        """Write `file`.pem and .key, valid from and to these days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        wanted = self._built(_name(subject), key, now, since_days, until_days)
        if host:
            alternative = x509.SubjectAlternativeName([x509.DNSName(host)])
            wanted = wanted.add_extension(alternative, critical=False)
        self._write(file, wanted.sign(self._key, hashes.SHA256()), key)

    def _built(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        now: datetime,
        since_days: int,
        until_days: int,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=since_days))
            .not_valid_after(now + timedelta(days=until_days, minutes=5))
        )

    def _write(
        self, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        pem = serialization.Encoding.PEM
        (self.directory / f"{file}.pem").write_bytes(certificate.public_bytes(pem))
        private = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.directory / f"{file}.key").write_bytes(private)
        (self.directory / f"{file}.key").chmod(0o600)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
