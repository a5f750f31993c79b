// A recorded clip, frame by frame, with all that the pipeline made of each.

import { ApiError, address, change, get } from "../api.js";
import * as debug from "../debug_parts.js";
import { COLOURS, drawBox, drawMotion, drawPlaces, fit, tag } from "../draw.js";
import { useDrawn } from "../drawn.js";
import { useKeys } from "../keys.js";
import { Score } from "../live_view.js";
import { Gauge, useLayers } from "../parts.js";
import { useStore } from "../store.js";
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { key, label, length, n, t } from "../words.js";

const { Icon, Legend, ms, nextPlace, placeAt, Strip, stageName, stamp, Trial, useSpan, whyText } = debug;
await debug.styled;

const POLL_MS = 400;
const REST_MS = 3000;
const LAYERS = { tracks: true, detections: false, motion: true, zones: true };
const REASONS = ["motion", "small", "follow", "scene", "sample"];
const COLUMNS = ["at", "score", "view", "why", "outcome"];

const empty = () => ({ at: [], score: [], view: [], why: [], outcome: [], looked: [] });

// The state of the clip, and in `known` the columns of all frames that there are by now.
async function catchUp(known) {
  const state = await get("v1/debug/clip");
  if (state.run !== known.run) Object.assign(known, { run: state.run, frames: empty() });
  const { frames } = known;
  while (frames.at.length < state.frames) {
    const more = await get("v1/debug/clip/scores", { since: frames.at.length });
    if (more.run !== known.run || !more.at.length) break;
    for (const name of COLUMNS) frames[name].push(...more[name]);
    frames.looked.push(...more.outcome.map((outcome) => outcome === "looked"));
  }
  return state;
}

// The clip, asked for again and again while it runs.
function useClip() {
  const [found, setFound] = useState({ clip: null, frames: empty(), lost: false });
  const again = useRef(() => {});
  useEffect(() => {
    const known = { run: 0, frames: empty() };
    let timer = 0;
    let gone = false;
    const show = (clip, lost) =>
      setFound((before) => ({ clip: clip ?? before.clip, frames: { ...known.frames }, lost }));
    async function poll() {
      clearTimeout(timer);
      const state = await catchUp(known).catch((error) => {
        if (!(error instanceof ApiError)) throw error;
        return null;
      });
      if (gone) return;
      show(state, state === null);
      timer = setTimeout(poll, state && !state.finished ? POLL_MS : REST_MS);
    }
    again.current = poll;
    poll();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return { ...found, refresh: () => again.current() };
}

async function load(number) {
  const [content, answer] = await Promise.all([
    get(`v1/debug/clip/frames/${number}`),
    fetch(address(`v1/debug/clip/frames/${number}/picture`), { credentials: "same-origin" }),
  ]);
  if (!answer.ok) return { content, bitmap: null, problem: (await answer.json()).error };
  const blurred = (answer.headers.get("X-Blikk-Blurred") ?? "").split(" ").map(Number);
  return { content, bitmap: await createImageBitmap(await answer.blob()), blurred, problem: null };
}

// The frame that is wanted, with its picture, both at once; of many that are wanted quickly only the newest.
function useShown(run, number, known) {
  const [shown, setShown] = useState(null);
  const loader = useRef({ busy: false, wanted: null, gone: false });
  useEffect(() => {
    loader.current.gone = false;
    return () => {
      loader.current.gone = true;
    };
  }, []);
  useEffect(() => {
    if (!known) return;
    loader.current.wanted = { run, number };
    if (!loader.current.busy) pump();
  }, [run, number, known]);
  return shown;

  async function pump() {
    const own = loader.current;
    own.busy = true;
    while (own.wanted && !own.gone) {
      const wanted = own.wanted;
      own.wanted = null;
      try {
        const loaded = await load(wanted.number);
        if (!own.gone) setShown({ ...loaded, ...wanted });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error; // the next poll says that nobody answers
      }
    }
    own.busy = false;
  }
}

function paintDetection(context, each, width, height) {
  const counts = each.wanted && each.score >= each.threshold;
  const look = counts ? { thick: 3 } : { thick: 1.5, dashes: [3, 4] };
  const kind = counts ? "counted" : "passed";
  drawBox(context, each.box, width, height, kind, "", look);
  const bottom = Math.min(height, each.box[3] * height + 19);
  tag(context, `${Math.round(each.score * 100)} %`, each.box[0] * width, bottom, COLOURS[kind], width);
}

function paintTrack(context, track, width, height) {
  const words = `#${track.id} ${label(track.label)} · ${length(track.dwell_s)}`;
  const look = { thick: track.confirmed ? 2 : 1.2, dashes: track.missed ? [7, 5] : [] };
  drawBox(context, track.box, width, height, track.label, words, look);
}

function paint(canvas, camera, content, layers) {
  const { context, width, height } = fit(canvas);
  if (!content) return;
  if (layers.zones) drawPlaces(context, camera, width, height);
  if (layers.motion) drawMotion(context, content, width, height);
  if (layers.detections) for (const each of content.found) paintDetection(context, each, width, height);
  if (layers.tracks) for (const track of content.tracks) paintTrack(context, track, width, height);
}

function Picture({ camera, shown, layers, waiting }) {
  const picture = useRef(null);
  const overlay = useDrawn((canvas) => paint(canvas, camera, shown?.content, layers), [camera, shown, layers]);
  useEffect(() => {
    const canvas = picture.current;
    if (!shown?.bitmap) {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    canvas.width = shown.bitmap.width;
    canvas.height = shown.bitmap.height;
    canvas.getContext("2d").drawImage(shown.bitmap, 0, 0);
  }, [shown]);
  const ratio = shown?.bitmap ? shown.bitmap.width / shown.bitmap.height : 16 / 9;
  const words = shown?.problem ? t("live.blind", { problem: shown.problem }) : waiting ? t("clip.waiting") : null;
  return html`<div class="live" style=${{ aspectRatio: `${ratio}`, "--ratio": ratio }} data-frame=${shown?.number ?? "none"}>
    <canvas ref=${picture} role="img" aria-label=${t("clip.picture")}></canvas>
    <canvas ref=${overlay} class="overlay" aria-hidden="true"></canvas>
    ${words && html`<p class="over" role="status">${words}</p>`}
  </div>`;
}

function Motion({ content }) {
  const over = content.view === "moving" && content.score >= content.threshold;
  const looked = content.outcome === "looked";
  return html`<section class="card pad"><div class="row tight"><h2>${t("layer.motion")}</h2><span class="spacer"></span>
      <span class="chip">${t(`view.${content.view}`)}</span></div>
    <${Score} frame=${content} />
    <p class="figures"><b>${content.score.toFixed(3)}</b>
      <span class="quiet">${over ? "≥" : content.score >= content.threshold ? "" : "<"} ${content.threshold.toFixed(2)}</span></p>
    <p class=${`verdict ${looked ? "yes" : "no"}`}><b>${t(`outcome.${content.outcome}`)}</b>
      ${whyText({ ...content, since: content.since_look_s })}</p>
  </section>`;
}

function Detections({ content }) {
  const looked = content.outcome === "looked";
  return html`<section class="card pad"><h2>${t("panel.detections")}</h2>
    ${!looked && html`<p class="quiet">${t("clip.not_looked")}</p>`}
    ${looked && !content.found.length && html`<p class="quiet">${t("clip.found_none")}</p>`}
    <ul class="rows">${content.found.map((each, index) => {
      const mark = !each.wanted ? "unwanted" : each.score >= each.threshold ? "counts" : "below";
      return html`<li key=${index} class=${mark}>
        <span class=${`chip ${each.label}`}>${label(each.label)}</span>
        <${Gauge} share=${each.score} tick=${each.threshold} />
        <span class="number">${Math.round(each.score * 100)} %</span>
        <span class="quiet">${t(`found.${mark}`, { threshold: Math.round(each.threshold * 100) })}
          ${each.sub_label !== each.label ? ` · ${each.sub_label}` : ""}</span></li>`;
    })}</ul>
  </section>`;
}

function Tracks({ content }) {
  return html`<section class="card pad"><h2>${t("layer.tracks")}</h2>
    ${!content.tracks.length && html`<p class="quiet">${t("clip.tracks_none")}</p>`}
    <ul class="rows">${content.tracks.map(
      (track) => html`<li key=${track.id}>
        <span class=${`chip ${track.label}`}>#${track.id} ${label(track.label)}</span>
        <span>${length(track.dwell_s)}</span>
        <span class="quiet">${[
          t(track.confirmed ? "track.confirmed" : "track.new"),
          track.missed ? n("track.missed", track.missed) : "",
          track.still ? t("track.still") : t("track.moves"),
          t("track.best", { score: Math.round(track.best_score * 100) }),
          ...track.zones,
        ]
          .filter(Boolean)
          .join(" · ")}</span></li>`,
    )}</ul>
    ${content.measures.map((each) => html`<p key=${each.name}>${each.name}: <b>${each.value}</b> ${each.unit} ${each.alert}</p>`)}
  </section>`;
}

function Record({ record }) {
  const zones = record.zones?.length ? ` · ${record.zones.join(", ")}` : "";
  if (record.record === "event") {
    return html`<li class=${`report ${record.label}`}><span><strong>${t("title.event")}</strong>
      ${label(record.label)}, ${t(`phase.${record.phase}`)} <span class="quiet">· ${t("record.revision", { count: record.revision })}${" "}
      · ${t(`observed.${record.reason}`)}${zones}</span></span></li>`;
  }
  const who = record.objects.map((each) => `#${each.track} ${label(each.label)}`).join(", ");
  return html`<li class=${`report ${record.objects[0]?.label ?? ""}`}><span><strong>${t("record.observation")}</strong>
    ${t(`observed.${record.kind}`)} <span class="quiet">${who && `· ${who}`}${zones}
    ${record.folded > 1 ? ` · ${t("record.folded", { count: record.folded })}` : ""}</span></span></li>`;
}

function Reports({ content, ending }) {
  const nothing = !content.records.length && !content.written.length && !content.pictures.length;
  return html`<section class="card pad"><h2>${t("panel.reports")}</h2>
    ${nothing && html`<p class="quiet">${t("clip.reports_none")}</p>`}
    <ol class="reports">${content.records.map((record, index) => html`<${Record} key=${index} record=${record} />`)}</ol>
    ${content.written.map((each) => html`<p class="written" key=${each.event}><strong>${each.title}</strong><br />${each.text}</p>`)}
    ${content.pictures.length > 0 && html`<p class="quiet">${t("record.pictures", { names: content.pictures.join(", ") })}</p>`}
    ${content.problem && html`<p class="problem">${t("live.blind", { problem: content.problem })}</p>`}
    ${
      ending?.length > 0 &&
      html`<h3>${t("record.ending")}</h3>
      <ol class="reports">${ending.map((record, index) => html`<${Record} key=${index} record=${record} />`)}</ol>`
    }
    ${
      content.open.length > 0 &&
      html`<h3>${t("record.open")}</h3><ul class="rows">${content.open.map(
        (event) => html`<li key=${event.id}><span class=${`chip ${event.label}`}>${label(event.label)}</span>
        <span>${length(event.duration_s)}</span><span class="quiet">${[
          t(`phase.${event.phase}`),
          t("record.revision", { count: event.revision }),
          event.loitering && t("observed.loitering"),
          ...event.zones,
        ]
          .filter(Boolean)
          .join(" · ")}</span></li>`,
      )}</ul>`
    }
  </section>`;
}

function Times({ content }) {
  const most = Math.max(1, ...content.spent.map((each) => each.ms));
  const all = content.spent.reduce((sum, each) => sum + each.ms, 0);
  return html`<section class="card pad"><div class="row tight"><h2>${t("panel.times")}</h2><span class="spacer"></span>
      <span class="number">${ms(all)} ms</span></div>
    <ul class="stages">${content.spent.map(
      (each) => html`<li key=${each.stage}><span>${stageName(each.stage)}</span>
        <${Gauge} share=${each.ms / most} />
        <span class="number">${ms(each.ms)} ms</span></li>`,
    )}</ul>
  </section>`;
}

function status(clip, lost) {
  const chip = (kind, text) => html`<span class=${`chip ${kind}`} role="status">${text}</span>`;
  if (lost) return chip("warn", t("state.reconnecting"));
  if (clip.error) return chip("warn", t("clip.broken", { problem: clip.error }));
  if (clip.full) return chip("warn", t("clip.full", { count: clip.frames }));
  if (clip.finished) return chip("", n("timeline.events", clip.events.length));
  return chip("moving", t("clip.running"));
}

function Before({ clip }) {
  if (!clip.before) return null;
  const line = (threshold, events) =>
    html`<li><b class="number">${threshold.toFixed(2)}</b> ${n("timeline.events", events.length)}
      <span class="quiet">${events.map((each) => `${label(each.label)} ${stamp(each.started, 0)}`).join(", ")}</span></li>`;
  return html`<section class="card pad compared"><h2>${t("trial.compared")}</h2>
    <ul class="rows">${line(clip.before.threshold, clip.before.events)}${line(clip.threshold, clip.events)}</ul></section>`;
}

// Everything that moves through the clip: keys and buttons do the same.
function moves(frames, events, number) {
  const count = frames.at.length;
  const clamp = (wanted) => Math.max(0, Math.min(count - 1, wanted));
  const by = (seconds) => {
    const place = placeAt(frames.at, frames.at[number] + seconds + 1e-6);
    return clamp(place === number ? number + Math.sign(seconds) : place);
  };
  const event = (step) => {
    const firsts = events.map((each) => each.first);
    const next = step > 0 ? firsts.find((first) => first > number) : firsts.filter((first) => first < number).pop();
    return next === undefined ? null : clamp(next);
  };
  return {
    ArrowLeft: () => clamp(number - 1),
    ArrowRight: () => clamp(number + 1),
    ShiftArrowLeft: () => by(-1),
    ShiftArrowRight: () => by(1),
    Home: () => 0,
    End: () => clamp(count - 1),
    n: () => event(1),
    p: () => event(-1),
    e: () => nextPlace(frames, number, 1, (place) => frames.looked[place]),
    E: () => nextPlace(frames, number, -1, (place) => frames.looked[place]),
  };
}

function said(clip, blurred) {
  if (!clip.blurred) return t("clip.raw");
  const [faces, heads, persons] = blurred ?? [];
  return `${blurred ? t("clip.blurred", { faces, heads, persons }) : ""} ${t("clip.redacted")}`;
}

export function Page() {
  const { node, session } = useStore();
  const { clip, frames, lost, refresh } = useClip();
  const [number, setNumber] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [trial, setTrial] = useState(null);
  const { layers, buttons, keys } = useLayers("blikk.debug.layers", LAYERS);
  const count = frames.at.length;
  const place = Math.min(number, Math.max(0, count - 1));
  const shown = useShown(clip?.run, place, count > 0);
  const whole = Math.max(clip?.length_s ?? 0, count ? frames.at[count - 1] : 0);
  const cursor = count ? frames.at[place] : 0;
  const [span, zoom] = useSpan(whole, cursor);
  const camera = node.cameras[0];
  const events = useMemo(() => clip?.events ?? [], [clip]);
  const label = useCallback((time) => stamp(time, 0), []);
  const to = moves(frames, events, place);

  useEffect(() => {
    if (!playing) return undefined;
    if (place >= count - 1) {
      if (clip?.finished) setPlaying(false);
      return undefined;
    }
    if (shown?.number !== place) return undefined; // its picture comes first
    const timer = setTimeout(() => setNumber(place + 1), (frames.at[place + 1] - frames.at[place]) * 1000);
    return () => clearTimeout(timer);
  }, [playing, place, shown, count, clip?.finished]);

  useKeys({
    ...Object.fromEntries(Object.entries(to).map(([key, move]) => [key, () => go(move())])),
    ...keys,
    "+": () => zoom(0.5),
    "-": () => zoom(2),
    " ": () => setPlaying((before) => !before),
  });

  function go(wanted) {
    if (wanted === null || !count) return;
    setPlaying(false);
    setNumber(wanted);
  }

  async function runAgain(threshold) {
    await change("POST", "v1/debug/clip/runs", { threshold });
    setPlaying(false);
    refresh();
  }

  if (!clip) return html`<p class="note" role="status">${t(lost ? "state.unreachable" : "clip.waiting")}</p>`;
  const content = shown?.content;
  const done = whole ? Math.min(100, Math.round((cursorEnd() / whole) * 100)) : 0;
  const last = clip.finished && place === count - 1;
  return html`<div class="heading"><h1>${clip.clip}</h1>${status(clip, lost)}
      ${!clip.finished && html`<progress max="100" value=${done} aria-label=${t("clip.running")}></progress>`}
      <span class="spacer"></span>
      <span class="quiet number" data-place=${place}>${t("clip.place", { number: place + 1, count })} · ${stamp(cursor)}</span></div>
    <div class="debug">
      <div class="stage"><div class="card">
          <${Picture} camera=${camera} shown=${shown} layers=${layers} waiting=${!shown} />
        </div>
        <div class="tools" role="toolbar" aria-label=${t("clip.tools")}>
          ${button("previous", "clip.previous_event", "p", to.p)}
          ${button("back", "clip.back", "←", to.ArrowLeft)}
          <button class="primary" onClick=${() => setPlaying(!playing)} aria-label=${t(playing ? "clip.pause" : "clip.play")}
            title=${key("␣")}><${Icon} name=${playing ? "pause" : "play"} /></button>
          ${button("step", "clip.step", "→", to.ArrowRight)}
          ${button("next", "clip.next_event", "n", to.n)}
          ${button("look", "clip.next_look", "e", to.e)}
          <span class="spacer"></span>
          <span role="group" class="layers" aria-label=${t("live.layers")}>${buttons}</span>
        </div>
        <p class="note">${said(clip, shown?.blurred)}</p>
      </div>
      <div class="side panels"><${Before} clip=${clip} />
        ${
          content &&
          html`<${Motion} content=${content} /><${Detections} content=${content} /><${Tracks} content=${content} />
          <${Reports} content=${content} ending=${last ? clip.ending : null} /><${Times} content=${content} />`
        }
      </div>
    <section class="card timeline" aria-label=${t("clip.timeline")}>
      <div class="row tight pad-x"><${Legend} reasons=${REASONS} /><span class="spacer"></span>
        <button onClick=${() => zoom(0.5)} aria-label=${t("strip.closer")} title=${key("+")}>+</button>
        <button onClick=${() => zoom(2)} aria-label=${t("strip.wider")} title=${key("−")}>−</button></div>
      <${Strip} frames=${frames} span=${span} threshold=${clip.threshold} trial=${trial} cursor=${cursor} events=${events}
        joined=${1.5} label=${label} onMove=${(time) => go(placeAt(frames.at, time))} name=${t("clip.timeline")}
        now=${`${t("clip.place", { number: place + 1, count })}, ${stamp(cursor)}`} />
      <${Trial} frames=${frames} threshold=${clip.threshold} trial=${trial} onTrial=${setTrial} label=${label}
        onJump=${(time) => go(placeAt(frames.at, time))} flat words="trial.run" set=${session.scope === "control" && runAgain} />
    </section>
    </div>
    <details class="card pad keys"><summary>${t("clip.keys")}</summary><p>${t("clip.keys_are")}</p>
      <h3>${t("clip.looking_with")}</h3><ul>${clip.notes.map((text) => html`<li key=${text}>${text}</li>`)}</ul></details>`;

  function cursorEnd() {
    return count ? frames.at[count - 1] : 0;
  }

  function button(sign, words, pressed, move) {
    return html`<button onClick=${() => go(move())} aria-label=${t(words)} title=${`${t(words)} (${pressed})`}>
      <${Icon} name=${sign} /></button>`;
  }
}
