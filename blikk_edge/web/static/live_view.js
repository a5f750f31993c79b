// The live picture of a camera, redacted by the node, with what was found in it drawn over it.

import { socket } from "./api.js";
import { drawBox, drawMotion, drawPlaces, fit } from "./draw.js";
import { useDrawn } from "./drawn.js";
import { useStore } from "./store.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { label, length, t } from "./words.js";

const LATE_MS = 6000;

function paint(canvas, camera, frame, layers) {
  const { context, width, height } = fit(canvas);
  if (!frame) return;
  if (layers.zones) drawPlaces(context, camera, width, height);
  if (layers.motion) drawMotion(context, frame, width, height);
  if (layers.boxes) {
    for (const track of frame.tracks) {
      const words = `${label(track.label)} ${Math.round(track.score * 100)} % · ${length(track.dwell_s)}`;
      drawBox(context, track.box, width, height, track.label, words);
    }
  }
}

// What is wrong with the picture now, in words; null where nothing is.
function trouble({ frame, late, connected, online, problem }) {
  if (!connected) return t("state.reconnecting");
  if (frame?.problem) return t("live.blind", { problem: frame.problem });
  if (online === "offline") return problem ? t("live.away_why", { problem }) : t("live.away");
  if (!frame) return t("live.waiting");
  if (late) return t("live.late");
  return null;
}

// `onFrame` is called with what was found in each frame.
export function LiveView({ camera, layers, onFrame, paused = false }) {
  const { states, availability } = useStore();
  const picture = useRef(null);
  const newest = useRef(null);
  const overlay = useDrawn((canvas) => paint(canvas, camera, newest.current, layers), [camera, layers]);
  const drawn = useRef(layers);
  drawn.current = layers;
  const [frame, setFrame] = useState(null);
  const [connected, setConnected] = useState(true);
  const [late, setLate] = useState(false);
  const [hidden, setHidden] = useState(document.hidden);

  useEffect(() => {
    const seen = () => setHidden(document.hidden);
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, []);

  useEffect(() => {
    if (paused || hidden) return undefined;
    let waiting = null;
    let timer = 0;
    const expect = () => {
      clearTimeout(timer);
      timer = setTimeout(() => setLate(true), LATE_MS);
    };
    const show = (content) => {
      newest.current = content;
      if (overlay.current) paint(overlay.current, camera, content, drawn.current); // with its picture, not a frame later
      setFrame(content);
      setLate(false);
      expect();
      onFrame?.(content);
    };
    const open = socket(`v1/cameras/${camera.id}/live`, {
      state: setConnected,
      text(content) {
        waiting = content;
        if (!content.picture) show(content);
      },
      async binary(blob) {
        const content = waiting;
        const bitmap = await createImageBitmap(blob);
        const canvas = picture.current;
        if (!canvas || content !== waiting) return bitmap.close();
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
        canvas.getContext("2d").drawImage(bitmap, 0, 0);
        bitmap.close();
        return show(content);
      },
    });
    expect();
    return () => {
      clearTimeout(timer);
      open.close();
    };
  }, [camera, paused, hidden, onFrame]);

  const state = states.get(camera.id);
  const wrong = trouble({
    frame,
    late,
    connected,
    online: availability.get(camera.id),
    problem: state?.problem,
  });
  const { width, height } = frame?.picture ?? { width: 16, height: 9 };
  const shape = { aspectRatio: `${width} / ${height}`, "--shape": width / height };
  return html`<div class=${`live ${wrong ? "dim" : ""}`} style=${shape} data-camera=${camera.id}
    data-frames=${frame ? "yes" : "no"}>
    <canvas ref=${picture} role="img" aria-label=${t("live.picture", { camera: camera.name })}></canvas>
    <canvas ref=${overlay} class="overlay" aria-hidden="true"></canvas>
    ${wrong && html`<p class="over" role="status">${wrong}</p>`}
  </div>`;
}

// The motion score beside the threshold from which something is reported.
export function Score({ frame }) {
  const score = frame?.score ?? 0;
  const threshold = frame?.threshold ?? 0.3;
  return html`<div class="score" role="meter" aria-valuemin="0" aria-valuemax="1" aria-valuenow=${score}
    aria-label=${t("live.score")} data-view=${frame?.view ?? "none"}>
    <div class=${`fill ${score >= threshold ? "over-threshold" : ""}`} style=${{ width: `${score * 100}%` }}></div>
    <div class="tick" style=${{ left: `${threshold * 100}%` }}></div>
  </div>`;
}
