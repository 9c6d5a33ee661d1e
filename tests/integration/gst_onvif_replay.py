"""GStreamer's ONVIF replay, as a server and as a client. Runs under the system's Python."""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions come first

CODED = {
    "h264": "openh264enc gop-size=10 ! h264parse ! rtph264pay config-interval=1",
    "hevc": "x265enc speed-preset=ultrafast key-int-max=10 ! h265parse "
    "! rtph265pay config-interval=1",
}


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def serve(codec: str) -> None:
    """Replay a moving ball of any time that is asked for."""
    factory = GstRtspServer.RTSPOnvifMediaFactory()
    factory.set_replay_support(True)
    factory.set_media_gtype(GstRtspServer.RTSPOnvifMedia.__gtype__)
    factory.set_launch(
        "( videotestsrc pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1 "
        f"! {CODED[codec]} pt=96 ! rtponviftimestamp name=pay0 ntp-offset=0 )"
    )
    server = GstRtspServer.RTSPOnvifServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    server.get_mount_points().add_factory("/replay", factory)
    server.attach(None)
    say("ready", server.get_bound_port())
    GLib.MainLoop().run()


def play(url: str, start: int) -> None:
    """Ask for what was recorded `start` seconds after 1900; say how its packets are stamped."""
    stamps: list[int] = []
    pipeline = Gst.parse_launch(
        f'rtspsrc name=source location="{url}" protocols=tcp onvif-mode=true user-id=inspector '
        "user-pw=secret ! identity name=tap ! fakesink sync=false"
    )
    loop = GLib.MainLoop()

    def taken(_: object, information: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        packet = information.get_buffer().extract_dup(0, 24)
        if packet[12:16] == b"\xab\xac\x00\x03":
            stamps.append(int.from_bytes(packet[16:20], "big"))
        if len(stamps) == 100:
            GLib.idle_add(loop.quit)
        return Gst.PadProbeReturn.OK

    tap = pipeline.get_by_name("tap").get_static_pad("src")
    tap.add_probe(Gst.PadProbeType.BUFFER, taken)
    pipeline.set_state(Gst.State.PAUSED)
    pipeline.get_state(5 * Gst.SECOND)
    at, never = start * Gst.SECOND, 0
    source = pipeline.get_by_name("source")
    kinds = (Gst.SeekType.SET, at, Gst.SeekType.NONE, never)
    source.seek(1.0, Gst.Format.TIME, Gst.SeekFlags.FLUSH, *kinds)
    pipeline.set_state(Gst.State.PLAYING)
    GLib.timeout_add_seconds(20, loop.quit)
    loop.run()
    say(len(stamps), *(stamps[:1] + stamps[-1:]))
    pipeline.set_state(Gst.State.NULL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", choices=CODED)
    parser.add_argument("--play", nargs=2)
    given = parser.parse_args()
    Gst.init(None)
    if given.serve:
        serve(given.serve)
    else:
        play(given.play[0], int(given.play[1]))


if __name__ == "__main__":
    main()
