// Other people's WebRTC, started by tests/webrtc_peer.py: a WHEP server, and a WHIP client.
//
//   node peer.mjs whep werift h264     serves http://127.0.0.1:<port>/whep
//   node peer.mjs whip wrtc vp8 URL TOKEN
//
// Each line of standard output is JSON: what happened. werift sends what comes as RTP to the UDP port that it says;
// wrtc is libwebrtc, and encodes a picture that changes. A line on standard input ends a WHIP client.

import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [role, library, codec, url, token] = process.argv.slice(2);
const load = createRequire(join(process.env.BLIKK_WEBRTC_PEERS, "package.json"));
const TOKEN = "peer-token";
const say = (content) => process.stdout.write(`${JSON.stringify(content)}\n`);

async function gathered(pc) {
  while (pc.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 10));
}

const RTP = {};

async function werift() {
  const { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters } = load("werift");
  if (!RTP.socket) {
    RTP.socket = createSocket("udp4");
    RTP.tracks = new Set();
    RTP.socket.on("message", (packet) => {
      for (const track of RTP.tracks) track.writeRtp(packet);
    });
    await new Promise((done) => RTP.socket.bind(0, "127.0.0.1", done));
  }
  const feedback = [{ type: "nack" }, { type: "nack", parameter: "pli" }];
  const given =
    codec === "h264"
      ? { mimeType: "video/H264", parameters: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f" }
      : { mimeType: "video/VP8" };
  const video = new RTCRtpCodecParameters({ ...given, clockRate: 90000, payloadType: 96, rtcpFeedback: feedback });
  const pc = new RTCPeerConnection({ iceServers: [], codecs: { video: [video] } });
  const track = new MediaStreamTrack({ kind: "video" });
  pc.addTransceiver(track, { direction: "sendonly" });
  pc.connectionStateChange.subscribe((state) => {
    if (state === "connected") RTP.tracks.add(track);
    say({ state });
  });
  return { pc, end: () => RTP.tracks.delete(track) };
}

async function wrtc() {
  const { RTCPeerConnection, nonstandard } = load("@roamhq/wrtc");
  const source = new nonstandard.RTCVideoSource();
  const [width, height] = [640, 480];
  let count = 0;
  const timer = setInterval(() => {
    const data = new Uint8ClampedArray(width * height * 1.5).fill(128);
    for (let row = 0; row < height; row++) data.fill((row / 2 + count * 4) % 256, row * width, (row + 1) * width);
    source.onFrame({ width, height, data });
    count += 1;
  }, 66);
  const pc = new RTCPeerConnection({ iceServers: [] });
  const track = source.createTrack();
  pc.addTrack(track);
  pc.onconnectionstatechange = () => say({ state: pc.connectionState });
  return {
    pc,
    end: () => {
      clearInterval(timer);
      track.stop();
    },
  };
}

const make = library === "werift" ? werift : wrtc;

async function serve() {
  const open = new Map();
  let number = 0;
  const body = async (request) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://peer").pathname;
    if (request.method === "DELETE" && open.has(path)) {
      const { pc, end } = open.get(path);
      open.delete(path);
      end();
      await pc.close();
      say({ deleted: path, open: open.size, token: request.headers.authorization === `Bearer ${TOKEN}` });
      response.writeHead(200).end();
      return;
    }
    const offer = await body(request);
    if (path === "/moved") {
      response.writeHead(307, { Location: "/whep" }).end();
      return;
    }
    if (path !== "/whep") {
      response.writeHead(404).end();
      return;
    }
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      response.writeHead(401).end();
      return;
    }
    const made = await make();
    await made.pc.setRemoteDescription({ type: "offer", sdp: offer });
    await made.pc.setLocalDescription(await made.pc.createAnswer());
    await gathered(made.pc);
    number += 1;
    open.set(`/session/${number}`, made);
    say({ opened: number });
    response.writeHead(201, { "Content-Type": "application/sdp", Location: `/session/${number}` });
    response.end(made.pc.localDescription.sdp);
  });
  if (library === "werift") await (await werift()).pc.close();
  server.listen(0, "127.0.0.1", () => say({ port: server.address().port, rtp: RTP.socket?.address().port }));
}

async function send() {
  const { pc, end } = await make();
  await pc.setLocalDescription(await pc.createOffer());
  await gathered(pc);
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` },
    body: pc.localDescription.sdp,
  });
  const text = await answer.text();
  const location = answer.headers.get("Location");
  say({ status: answer.status, location, text: answer.ok ? "" : text, rtp: RTP.socket?.address().port });
  if (answer.ok) {
    await pc.setRemoteDescription({ type: "answer", sdp: text });
    await new Promise((done) => createInterface({ input: process.stdin }).once("line", done));
    const gone = await fetch(new URL(location, url), { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
    say({ deleted: gone.status });
  }
  end();
  await pc.close();
  process.exit(0);
}

await (role === "whep" ? serve() : send());
