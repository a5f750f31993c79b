"""An RTSP server for tests: one clip in real time, over and over. Run by the system's Python with GStreamer.

Prints `ready PORT` when it listens. The clip's access units are read once and sent as they are; each client gets its
own run from the start of the clip, so what a test sees does not depend on when it came.
"""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # noqa: E402  (versions are chosen first)
    Gio,
    GLib,
    Gst,
    GstApp,  # noqa: F401  (gives appsink its methods)
    GstRtsp,
    GstRtspServer,
)

READS = {
    "h264": "parsebin ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
    "h265": "parsebin ! h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
    "aac": "qtdemux name=of of.audio_0 ! aacparse ! audio/mpeg,mpegversion=4,stream-format=raw",
}
PAYS = {
    "h264": "h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "h265": "h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1",
    "aac": "rtpmp4gpay name=pay1 pt=97",
}


def access_units(clip, codec):
    """Every unit of the clip as (bytes, dts, pts, is_delta), the clip's length in ns, and what it is."""
    pipeline = Gst.parse_launch(f'filesrc location="{clip}" ! {READS[codec]} ! appsink name=out sync=false')
    sink = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    units = []
    while True:
        sample = sink.try_pull_sample(10 * Gst.SECOND)
        if sample is None:
            break
        buffer = sample.get_buffer()
        units.append(buffer)
    caps = sink.get_static_pad("sink").get_current_caps()
    pipeline.set_state(Gst.State.NULL)
    if not units:
        sys.exit(f"no {codec} in {clip}")
    step = units[0].duration
    if step == Gst.CLOCK_TIME_NONE:
        step = Gst.SECOND // 25
    start = units[0].pts
    taken = []
    for n, unit in enumerate(units):
        known = unit.pts != Gst.CLOCK_TIME_NONE
        pts = unit.pts - start if known else n * step
        dts = pts if unit.dts == Gst.CLOCK_TIME_NONE else max(0, unit.dts - start)
        data = unit.extract_dup(0, unit.get_size())
        taken.append((data, dts, pts, unit.has_flags(Gst.BufferFlags.DELTA_UNIT)))
    return taken, max(t[2] for t in taken) + step, caps


class Player:
    """Feeds one client's appsrc."""

    def __init__(self, units, length, loop):
        self.units, self.length, self.loop, self.sent = units, length, loop, 0

    def need(self, source, _size):
        turn, n = divmod(self.sent, len(self.units))
        if turn and not self.loop:
            source.emit("end-of-stream")
            return
        data, dts, pts, delta = self.units[n]
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts, buffer.dts = pts + turn * self.length, dts + turn * self.length
        if delta:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        self.sent += 1
        source.emit("push-buffer", buffer)


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes the pipeline of each client."""

    def __init__(self, streams, loop):
        super().__init__()
        self.streams, self.loop = streams, loop
        self.length = max(length for _, length, _ in streams.values())
        sources = [f"appsrc name={codec} format=time block=false max-bytes=0 ! {PAYS[codec]}" for codec in streams]
        self.set_launch(f"( {' '.join(sources)} )")

    def do_configure(self, media):
        """Give the client's source its player."""
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)
        for codec, (units, _, caps) in self.streams.items():
            source = media.get_element().get_by_name_recurse_up(codec)
            source.set_property("caps", caps)
            player = Player(units, self.length, self.loop)
            source.connect("need-data", player.need)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("clip")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--path", default="/cam")
    parser.add_argument("--once", action="store_true", help="end after the clip instead of starting again")
    parser.add_argument("--codec", choices=("h264", "h265"), default="h264")
    parser.add_argument("--sound", action="store_true", help="serve the clip's AAC too")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--digest", action="store_true")
    parser.add_argument("--tls", help="certificate and key in one file: rtsps instead of rtsp")
    parser.add_argument("--transport", choices=("both", "tcp", "udp"), default="both")
    args = parser.parse_args()
    Gst.init(None)
    streams = {codec: access_units(args.clip, codec) for codec in (args.codec, *(["aac"] if args.sound else []))}
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(args.port))
    factory = Factory(streams, not args.once)
    tcp, udp = GstRtsp.RTSPLowerTrans.TCP, GstRtsp.RTSPLowerTrans.UDP
    factory.set_protocols({"both": tcp | udp, "tcp": tcp, "udp": udp}[args.transport])
    if args.user or args.tls:
        protect(server, factory, args)
    server.get_mount_points().add_factory(args.path, factory)
    if server.attach(None) == 0:
        sys.exit(f"port {args.port} is taken")
    sys.stdout.write(f"ready {server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def protect(server, factory, args):
    """Ask for user and password, or speak TLS, or both."""
    auth = GstRtspServer.RTSPAuth()
    if args.tls:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(args.tls))
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if args.user is None:
        auth.set_default_token(token)
    elif args.digest:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(args.user, args.password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(args.user, args.password), token)
    server.set_auth(auth)
    factory.add_role_from_structure(
        Gst.Structure.new_from_string("viewer,media.factory.access=true,media.factory.construct=true")
    )


if __name__ == "__main__":
    main()
