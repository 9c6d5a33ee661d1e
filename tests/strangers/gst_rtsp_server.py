"""GStreamer's RTSP server on loopback: a stranger to probe. Runs under the system's Python."""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions come first


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("port", "file", "user", "password"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    Gst.init(None)

    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    login = GstRtspServer.RTSPAuth()
    login.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    login.add_digest(given.user, given.password, token)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( filesrc location={given.file} ! qtdemux ! h264parse ! identity sync=true "
        "! rtph264pay name=pay0 pt=96 config-interval=1 )"
    )
    factory.set_shared(True)
    factory.set_permissions(permissions)

    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(given.port)
    server.set_auth(login)
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    sys.stdout.write(f"ready {server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
