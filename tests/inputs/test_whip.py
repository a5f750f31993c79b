"""A browser or program sends a camera's picture by WHIP: who may, one at a time, and what becomes of it."""

import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import aiortc
import pytest
from http_served import CONTROL, VIEW, ask
from http_served import serving as http_serving
from patience import PATIENCE
from webrtc_peer import encoded, feeding, missing, peer

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.encoded_queue import EncodedQueue
from blikk_edge.inputs.phone_links import OPEN_MOST, VALID_S, PhoneLinks
from blikk_edge.inputs.whip import Whip, WhipTarget
from blikk_edge.net.http.server import HttpServer
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.webrtc.pictures import PeerPictures
from blikk_edge.sources.webrtc.receiver import BUSY, WhipReceiver

TOKEN = "0123456789-of-the-program"
SDP = {"Content-Type": "application/sdp"}

needs_peers = pytest.mark.skipif(bool(missing()), reason=missing() or "they are here")


class Notes:
    """A memory that lasts for one test."""

    problem = None

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def recall(self, key: str) -> str | None:
        return self.kept.get(key)

    def remember(self, key: str, text: str) -> None:
        self.kept[key] = text


@dataclass
class Shed:
    """A node's server with one camera, `shed`."""

    server: HttpServer
    queue: EncodedQueue
    links: PhoneLinks
    receiver: WhipReceiver

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/whip/shed"

    async def frames(self, count: int) -> list:
        """So many frames of what is sent."""
        made = PeerPictures(self.queue, Terms(camera="shed", shown="whip", clock=SystemClock()))
        found: list = []
        async with asyncio.timeout(60 * PATIENCE):
            while len(found) < count:
                found += filter(None, [made.frame(self.queue.take())])
                await asyncio.sleep(0.05)
        return found

    async def post(self, offer: str, token: str = TOKEN, **headers: str) -> tuple[int, str]:
        status, body, _ = await ask(
            self.server, "/whip/shed", method="POST", token=token, data=offer, headers=SDP | headers
        )
        return status, body.decode()


@asynccontextmanager
async def shed(read_timeout_s: float = 10.0, memory: Notes | None = None) -> AsyncIterator[Shed]:
    clock, queue = SystemClock(), EncodedQueue()
    receiver = WhipReceiver("shed", queue, clock=clock, connect_timeout_s=20.0, read_timeout_s=read_timeout_s)
    links = PhoneLinks(memory or Notes(), clock)
    targets = {"shed": WhipTarget(name="Garden shed", receiver=receiver, token=TOKEN)}
    whip = Whip(targets, links, url="https://node:8428", clock=clock)
    running = asyncio.ensure_future(whip.run())
    try:
        async with http_serving(whip) as server:
            yield Shed(server, queue, links, receiver)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def said(process, key: str) -> dict:
    return await asyncio.to_thread(process.until, key)


async def offer(*, codecs: tuple[str, ...] = ("VP8", "H264"), data: bool = False) -> str:
    """An offer to send video, of nobody who waits for the answer."""
    pc = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    pc.addTransceiver("video", direction="sendonly")
    if data:
        pc.createDataChannel("more")
    await pc.setLocalDescription(await pc.createOffer())
    sdp = pc.localDescription.sdp
    await pc.close()
    for name in {"VP8", "H264"} - set(codecs):
        sdp = sdp.replace(f"{name}/90000", "VP9/90000")
    return sdp


# -- real peers -------------------------------------------------------------------------------------------------------


@needs_peers
@pytest.mark.parametrize(("library", "codec"), [("werift", "h264"), ("wrtc", "vp8")])
async def test_a_program_sends_and_says_when_it_ends(library: str, codec: str) -> None:
    async with shed() as node:
        with peer("whip", library, codec, node.url, TOKEN) as sender:
            answered = await said(sender, "status")
            assert (answered["status"], answered["location"].rpartition("/")[0]) == (201, "/whip/shed")
            with feeding(answered.get("rtp"), codec):
                frames = await node.frames(5)
            assert (frames[0].luma != frames[-1].luma).any()
            assert frames[0].luma.shape == (480, 640)
            status, text = await node.post(await offer())
            assert (status, json.loads(text)) == (409, {"error": BUSY})
            sender.tell()
            assert (await said(sender, "deleted"))["deleted"] == 204
        assert not await node.receiver.end()


@needs_peers
async def test_a_sender_that_is_killed_makes_room_for_another() -> None:
    async with shed(read_timeout_s=1.0) as node:
        with peer("whip", "wrtc", "vp8", node.url, TOKEN) as sender:
            await said(sender, "status")
            await node.frames(1)
            os.kill(sender.process.pid, signal.SIGKILL)
            async with asyncio.timeout(60 * PATIENCE):
                while (await node.post(await offer()))[0] != 201:
                    await asyncio.sleep(1)


# -- who may ----------------------------------------------------------------------------------------------------------


async def test_a_link_works_once_and_makes_one_device_the_camera(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    memory = Notes()
    async with shed(memory=memory) as node:

        async def linked() -> str:
            status, body, _ = await ask(node.server, "/v1/cameras/shed/phone", method="POST", token=CONTROL)
            content = json.loads(body)
            assert (status, content["note"]) == (200, None)
            assert content["qr"].startswith("data:image/svg+xml")
            address, token = content["url"].split("#")
            assert address == "https://node:8428/phone"
            return token

        async def opened(token: str) -> tuple[int, dict]:
            status, body, _ = await ask(node.server, "/v1/phone", method="POST", token=token)
            return status, json.loads(body)

        first = await linked()
        status, device = await opened(first)
        assert (status, device["camera"], device["name"]) == (200, "shed", "Garden shed")
        assert (await opened(first))[0] == 401
        assert (await node.post(await offer(), device["secret"]))[0] == 201
        status, newer = await opened(await linked())
        assert status == 200
        # the older device is cut off, and out; the newer one need not wait
        assert (await node.post(await offer(), device["secret"]))[0] == 401
        assert (await node.post(await offer(), newer["secret"]))[0] == 201
        # a restart of the node changes nothing
        assert await PhoneLinks(memory, SystemClock()).knows("shed", newer["secret"])
        status, _, _ = await ask(node.server, "/v1/cameras/shed/phone", method="DELETE", token=CONTROL)
        assert status == 204
        assert (await node.post(await offer(), newer["secret"]))[0] == 401
    secrets = (first, device["secret"], newer["secret"])
    assert not any(secret in caplog.text for secret in secrets)
    assert not any(secret in str(memory.kept) for secret in secrets)


async def test_links_expire_and_are_bounded() -> None:
    clock = VirtualClock()
    links = PhoneLinks(Notes(), clock)
    tokens = [links.new("shed") for _ in range(OPEN_MOST + 2)]
    assert await links.redeem(tokens[1]) is None
    assert await links.redeem(tokens[2]) is not None
    await clock.advance(VALID_S + 1)
    assert await links.redeem(tokens[-1]) is None


@pytest.mark.parametrize("kept", [None, "", "[]", '{"sha256": 1}', "{", '{"sha256": ""}'])
async def test_a_memory_that_holds_nothing_knows_nobody(kept: str | None) -> None:
    memory = Notes()
    memory.kept = {} if kept is None else {"phone/shed": kept}
    assert not await PhoneLinks(memory, SystemClock()).knows("shed", "")


async def test_who_may_ask_for_links_and_how_often_one_may_guess() -> None:
    async with shed() as node:
        for token, status in ((None, 401), (VIEW, 403)):
            assert (await ask(node.server, "/v1/cameras/shed/phone", method="POST", token=token))[0] == status
        assert (await ask(node.server, "/v1/cameras/door/phone", method="POST", token=CONTROL))[0] == 404
        guesses = [(await ask(node.server, "/v1/phone", method="POST", token="x"))[0] for _ in range(8)]
        assert guesses[:5] == [401] * 5
        assert 429 in guesses
        link = node.links.new("shed")  # who has one is let in all the same
        assert (await ask(node.server, "/v1/phone", method="POST", token=link))[0] == 200


async def test_what_is_no_offer_of_video_is_refused_in_words() -> None:
    good = await offer()
    cases = [
        (good, "wrong", SDP, 401, "unknown camera or token"),
        ("", TOKEN, SDP, 400, "no WebRTC offer"),
        ("{}", TOKEN, SDP, 400, "no WebRTC offer"),
        ("v=0\r\n" + good.partition("m=")[0], TOKEN, SDP, 400, "that can be answered"),
        (good[: len(good) // 3], TOKEN, SDP, 400, "that can be answered"),
    ]
    async with shed() as node:
        for text, token, headers, status, words in cases:
            found, answer = await node.post(text, token, **headers)
            assert (found, words in answer) == (status, True), answer
    cases = [
        (good, TOKEN, {"Content-Type": "text/plain"}, 415, "application/sdp"),
        (good + "a=x\r\n" * 20_000, TOKEN, SDP, 413, "more than"),
        (await offer(codecs=()), TOKEN, SDP, 422, "H.264 or VP8"),
        (await offer(data=True), TOKEN, SDP, 422, "data channels"),
        (good.replace("a=ice-pwd:", "a=x:"), TOKEN, SDP, 400, "that can be answered"),
    ]
    async with shed() as node:
        for text, token, headers, status, words in cases:
            found, answer = await node.post(text, token, **headers)
            assert (found, words in answer) == (status, True), answer
        assert not await node.receiver.end()
    async with shed() as node:
        for text in (good + "m=" + good.partition("m=")[2], re.sub(r"a=rtpmap:\d+ rtx/90000\r\n", "", good, count=1)):
            found, answer = await node.post(text)
            assert (found, "that can be answered" in answer) == (400, True), answer
        assert not await node.receiver.end()


async def test_trickle_and_what_is_kept_for_later_are_refused_as_the_standard_has_it() -> None:
    async with shed() as node:
        status, _ = await node.post(await offer())
        assert status == 201
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
            for method, path, allowed in (
                ("PATCH", "/whip/shed/any", "DELETE"),
                ("GET", "/whip/shed", "POST"),
                ("PUT", "/whip/shed", "POST"),
            ):
                async with session.request(method, node.url.replace("/whip/shed", path)) as answer:
                    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
            for name in ("another", "%C3%A4"):
                async with session.delete(f"{node.url}/{name}") as answer:
                    assert answer.status == 404


async def test_a_flood_of_offers_is_slowed_down() -> None:
    async with shed() as node:
        statuses = [(await node.post("x"))[0] for _ in range(8)]
    assert statuses[:5] == [400] * 5
    assert 429 in statuses


async def test_an_offer_that_nobody_follows_up_is_ended_in_time() -> None:
    clock, queue = VirtualClock(), EncodedQueue()
    receiver = WhipReceiver("shed", queue, clock=clock, connect_timeout_s=10.0, read_timeout_s=10.0)
    await receiver.receive(await offer())
    await clock.advance(9.0)
    await receiver.look()
    assert receiver._connection is not None
    await clock.advance(2.0)
    await receiver.look()
    assert not await receiver.end()


async def test_without_the_package_an_offer_is_answered_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    good = await offer()
    monkeypatch.setitem(sys.modules, "aiortc", None)
    async with shed() as node:
        status, text = await node.post(good)
    assert (status, "pip install" in text, "blikk-edge[webrtc]" in text) == (503, True, True)


def test_pictures_of_a_later_sender_are_taken_though_the_codec_is_another() -> None:
    from webrtc_peer import FPS

    from blikk_edge.core.encoded_queue import EncodedPicture

    made = PeerPictures(EncodedQueue(), Terms(camera="shed", shown="whip", clock=SystemClock()))
    seen = []
    for codec in ("vp8", "h264", "vp8"):
        made.restart()
        for n, content in enumerate(encoded(codec, FPS)):
            frame = made.frame(
                [EncodedPicture(codec=codec, content=content, time_s=n / FPS, arrived_s=n / FPS, key=False)]
            )
            seen += [frame] if frame else []
    assert len(seen) >= 12
    assert [frame.seq for frame in seen] == list(range(1, len(seen) + 1))
    assert [frame.time for frame in seen] == sorted(frame.time for frame in seen)
