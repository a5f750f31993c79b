// This device as a camera: its picture goes to the node by WebRTC (WHIP) while the page is open.

import { ApiError, address, get } from "../api.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { t } from "../words.js";

const KEPT = "blikk.phone";
const WHY = { 401: "old", 409: "taken", NotAllowedError: "denied" };
const words = ({ name, message, status }, why = WHY[status ?? name]) => (why ? t(`phone.${why}`) : message);

// Sends until the function that it gives is called; `say([state, why])` is told how that goes.
function send({ camera, secret }, facingMode, video, say) {
  const headers = { Authorization: `Bearer ${secret}`, "Content-Type": "application/sdp" };
  let on = true;
  let pc, place, track, lock;
  const close = () => {
    pc?.close();
    if (place) fetch(place, { method: "DELETE", headers, keepalive: true }).catch(() => 0);
    place = null;
  };
  const stop = (why) => {
    on = false;
    close();
    track?.stop();
    lock?.release();
    say(["off", why]);
  };
  const again = (why) => {
    close();
    if (!on) return;
    say(["waiting", why]);
    setTimeout(go, 3000);
  };
  const wake = async () => {
    if (on && !document.hidden) lock = await navigator.wakeLock?.request("screen").catch(() => null);
  };
  const go = async () => {
    if (!on) return;
    const mine = new RTCPeerConnection();
    pc = mine;
    mine.addTransceiver(track, { direction: "sendonly" });
    await mine.setLocalDescription();
    await new Promise((done) => {
      mine.onicecandidate = (event) => event.candidate || done();
      setTimeout(done, 1000);
    });
    try {
      const body = mine.localDescription.sdp;
      const answer = await fetch(address(`whip/${camera}`), { method: "POST", headers, body });
      const sdp = await answer.text();
      if (!answer.ok) throw new ApiError(answer.status, JSON.parse(sdp).error);
      place = answer.headers.get("Location");
      if (!on) return close();
      mine.onconnectionstatechange = () => {
        if (mine.connectionState === "connected") say(["sending"]);
        else if (mine === pc && mine.connectionState !== "connecting") again();
      };
      await mine.setRemoteDescription({ type: "answer", sdp });
    } catch (error) {
      if (error.status === 401) stop(words(error));
      else again(words(error));
    }
  };
  const size = { width: 640, height: 480, frameRate: { ideal: 10, max: 15 } };
  navigator.mediaDevices.getUserMedia({ video: { facingMode, ...size } }).then(
    (stream) => {
      video.srcObject = stream;
      [track] = stream.getTracks();
      if (!on) return stop();
      track.onended = () => stop(t("phone.none"));
      document.onvisibilitychange = wake;
      wake();
      go();
    },
    (error) => stop(WHY[error.name] ? words(error) : t("phone.none")),
  );
  return stop;
}

export function Page() {
  const [[state, why], say] = useState(["off"]);
  const [front, setFront] = useState(false);
  const video = useRef(null);
  const stop = useRef(null);
  const device = JSON.parse(localStorage.getItem(KEPT));
  useEffect(() => {
    const token = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    if (!token) return;
    get("v1/phone", {}, { method: "POST", headers: { Authorization: `Bearer ${token}` } }).then(
      (found) => {
        localStorage.setItem(KEPT, JSON.stringify(found));
        say(["off"]);
      },
      (error) => say(["off", words(error)]),
    );
  }, []);
  const able = navigator.mediaDevices;
  const off = state === "off";
  const name = off ? "start" : "stop";
  const wrong = able ? (why ?? (device ? "" : t("phone.old"))) : t("phone.https");
  const press = () => {
    if (!off) return stop.current();
    say(["waiting"]);
    stop.current = send(device, front ? "user" : "environment", video.current, say);
  };
  return html`<main id="main" class="narrow"><div class="card pad setup">
    <h1>${device?.name ?? "Blikk Edge"}</h1>
    <video ref=${video} width="100%" autoplay muted playsinline hidden=${off} />
    <p role="status">${t(`phone.${state}`)}</p>
    ${wrong && html`<p class="problem" role="alert">${wrong}</p>`}
    <label class="row"><input type="checkbox" disabled=${!off} checked=${front}
      onChange=${() => setFront(!front)} /> ${t("phone.front")}</label>
    <button class="primary" disabled=${!device || !able} onClick=${press}>${t(`phone.${name}`)}</button>
  </div></main>`;
}
