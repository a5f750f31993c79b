// A running node: its stages, mailboxes and sinks with their figures, and the last ten minutes of each camera.

import { ApiError, change, get } from "../api.js";
import { Legend, ms, placeAt, Strip, stageName, styled, Trial, whyText } from "../debug_parts.js";
import { useKeys } from "../keys.js";
import { Gauge } from "../parts.js";
import { useStore } from "../store.js";
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { clock, n, t } from "../words.js";

await styled;

const POLL_MS = 2000;
const ANSWERS = 6; // so many are kept: rates are those of ten seconds
const KEPT_S = 600;
const LEAST_S = 60;
const OPEN_S = 20; // what became of a frame is known after so long
const REASONS = ["motion", "small", "follow", "scene", "sample", "hint", "picture", "live"];
const COLUMNS = ["at", "score", "view", "why", "outcome", "threshold"];
const FLOW = ["decode", "gate", "select", "wait", "detect", "track", "parcels", "zones", "report", "redact"];

const empty = () => ({ at: [], score: [], view: [], why: [], outcome: [], threshold: [], looked: [] });

// What `ask` answers, every two seconds while the page is seen; beside it the answer of ten seconds before.
function usePolled(ask, dependencies) {
  const [found, setFound] = useState([]);
  useEffect(() => {
    let timer = 0;
    let gone = false;
    async function poll() {
      clearTimeout(timer);
      if (!document.hidden) {
        const answer = await ask().catch((error) => {
          if (!(error instanceof ApiError)) throw error;
          return null; // the header says that nobody answers
        });
        if (gone) return;
        if (answer) setFound((known) => [...known, answer].slice(-ANSWERS));
      }
      timer = setTimeout(poll, POLL_MS);
    }
    poll();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, dependencies);
  return { now: found[found.length - 1] ?? null, before: found.length > 1 ? found[0] : null };
}

// The frames of the last ten minutes; only what is new or was open is asked for.
function useScores(camera) {
  const known = useRef({ camera: null, frames: empty() });
  return usePolled(async () => {
    if (known.current.camera !== camera) known.current = { camera, frames: empty() };
    const { frames } = known.current;
    const last = frames.at[frames.at.length - 1];
    const since = last === undefined ? null : new Date((last - OPEN_S) * 1000).toISOString();
    const more = await get(`v1/debug/cameras/${camera}/scores`, { since });
    known.current.frames = merged(frames, more);
    const events = more.events.map((event) => ({ ...event, ended: event.ended ?? more.now }));
    return { camera, frames: known.current.frames, events, now: more.now };
  }, [camera]);
}

function merged(frames, more) {
  const from = frames.at.findIndex((at) => at >= (more.at[0] ?? Infinity));
  const end = from < 0 ? frames.at.length : from;
  const start = Math.max(
    0,
    frames.at.findIndex((at) => at > more.now - KEPT_S),
  );
  const all = empty();
  for (const name of COLUMNS) all[name] = [...frames[name].slice(Math.min(start, end), end), ...more[name]];
  all.looked = all.outcome.map((outcome) => outcome === "looked");
  return all;
}

const rate = (now, before, seconds) =>
  before === undefined || seconds <= 0 ? null : Math.max(0, now - before) / seconds;

function Timing({ timing }) {
  if (timing.p50_ms === null || timing.p50_ms === undefined) return html`<span class="quiet">–</span>`;
  return html`<b>${ms(timing.p50_ms)}</b> <span class="quiet">/ ${ms(timing.p95_ms)}</span>`;
}

function Load({ share }) {
  if (share === null) return null;
  const percent = Math.min(100, share * 100);
  return html`<${Gauge} share=${percent / 100} hot=${percent > 70 && "hot"} title=${t("node.load", { percent: percent.toFixed(1) })} />`;
}

function Stage({ stage, before, seconds, failures }) {
  const calls = rate(stage.count, before?.count, seconds);
  const load = stage.stage === "wait" ? null : rate(stage.total_s, before?.total_s, seconds);
  return html`<li class="stage-box" data-stage=${stage.stage}><h3>${stageName(stage.stage)}</h3>
    <span class="number"><${Timing} timing=${stage} /></span>
    <span class="quiet number">${calls === null ? n("node.calls", stage.count) : t("node.rate", { rate: calls.toFixed(1) })}</span>
    <${Load} share=${load} />
    ${failures > 0 && html`<span class="problem">${n("node.failures", failures)}</span>`}
  </li>`;
}

function Lane({ lane, stage, ...rest }) {
  const dropped = Object.entries(lane.dropped).filter(([, count]) => count);
  return html`<li class=${`stage-box lane ${lane.waiting ? "full" : ""}`} data-stage="wait"><h3>${t("stage.wait")}</h3>
    <span class="number"><b>${lane.waiting}</b> <span class="quiet">${t(lane.busy ? "node.busy" : "node.idle")}</span></span>
    ${stage && html`<span class="number"><${Timing} timing=${stage} ...${rest} /></span>`}
    ${
      dropped.length
        ? dropped.map(
            ([why, count]) => html`<span class="quiet number" key=${why}>${count} × ${t(`outcome.${why}`)}</span>`,
          )
        : html`<span class="quiet">${t("node.no_drops")}</span>`
    }
  </li>`;
}

// One camera's way from stream to report, a box for each stage.
function CameraFlow({ camera, before, seconds, open, onOpen }) {
  const known = new Map(camera.stages.map((stage) => [stage.stage, stage]));
  const earlier = new Map((before?.stages ?? []).map((stage) => [stage.stage, stage]));
  const steps = camera.stages.map((each) => each.stage).filter((stage) => stage.startsWith("step."));
  const order = [...FLOW.slice(0, 8), ...steps, ...FLOW.slice(8)];
  const nothing = { count: 0, total_s: 0, p50_ms: null };
  return html`<section class="card flow"><header class="row tight">
      <h2><button class="plain" aria-pressed=${open} onClick=${onOpen}>${camera.name}</button></h2>
      ${!camera.online && html`<span class="chip warn">${camera.problem ?? t("state.away")}</span>`}
      <span class="spacer"></span>
      <span class="quiet number">${t("node.fps", { fps: camera.fps ?? 0 })} ·
        ${" "}${t("node.looks", { share: share(camera.outcomes.looked, camera.frames) })}</span></header>
    <ol class="stages-row">${order.map((name) =>
      name === "wait"
        ? html`<${Lane} key="wait" lane=${camera.lane} stage=${known.get("wait")} />`
        : html`<${Stage} key=${name} stage=${{ ...nothing, stage: name, ...known.get(name) }} before=${earlier.get(name)}
            seconds=${seconds} failures=${camera.failures[name] ?? 0} />`,
    )}</ol></section>`;
}

const share = (part, whole) => `${whole ? ((100 * (part ?? 0)) / whole).toFixed(1) : "0"} %`;

function Delivery({ node, before, seconds }) {
  const boxes = new Map(node.mailboxes.map((box) => [box.consumer, box]));
  const sinks = new Set(node.sinks.map((sink) => sink.name));
  const others = node.mailboxes.filter((box) => !sinks.has(box.consumer) && box.consumer !== "delivery");
  const written = rate(node.journal.count, before?.journal.count, seconds);
  return html`<section class="card flow"><header class="row tight"><h2>${t("node.delivery")}</h2><span class="spacer"></span>
      ${node.unsaved > 0 && html`<span class="chip warn">${n("node.unsaved", node.unsaved)}</span>`}
      ${node.lost > 0 && html`<span class="chip warn">${n("node.lost", node.lost)}</span>`}</header>
    <ol class="stages-row fan">
      <li class="stage-box"><h3>${t("stage.journal")}</h3><span class="number"><${Timing} timing=${node.journal} /></span>
        <span class="quiet number">${written === null ? n("node.records", node.journal.count) : t("node.records_rate", { rate: (written * 60).toFixed(1) })}</span>
        <span class="quiet number">${t("node.waiting", { count: boxes.get("delivery")?.waiting ?? 0 })}</span></li>
      ${node.sinks.map((sink) => html`<${Sink} key=${sink.name} sink=${sink} box=${boxes.get(sink.name)} />`)}
      ${others.map(
        (box) => html`<li class="stage-box" key=${box.consumer}><h3>${partName(box.consumer)}</h3>
          <span class="quiet number">${t("node.waiting", { count: box.waiting })}</span>
          ${box.lost > 0 && html`<span class="problem">${n("node.lost", box.lost)}</span>`}</li>`,
      )}
    </ol></section>`;
}

// Parts of the node itself have a name in words, those of plug-ins their own.
function partName(name) {
  const key = `part.${name}`;
  const said = t(`part.${name}`);
  return said === key ? name : said;
}

function Sink({ sink, box }) {
  const waiting = (sink.waiting ?? 0) + (box?.waiting ?? 0);
  return html`<li class=${`stage-box ${sink.problem ? "wrong" : waiting ? "full" : ""}`} data-sink=${sink.name}><h3>${partName(sink.name)}</h3>
    ${sink.publish && html`<span class="number"><${Timing} timing=${sink.publish} /></span>`}
    <span class="quiet number">${t("node.waiting", { count: waiting })}</span>
    ${
      sink.sight?.p50_ms &&
      html`<span class="quiet number">${t("node.sight", { seconds: (sink.sight.p50_ms / 1000).toFixed(1) })}</span>`
    }
    ${box?.lost > 0 && html`<span class="problem">${n("node.lost", box.lost)}</span>`}
    ${sink.problem && html`<span class="problem">${sink.problem}</span>`}</li>`;
}

function Model({ llm }) {
  if (!llm) return null;
  const budget = (left, used) =>
    left === null
      ? html`<span class="quiet">${t("llm.no_limit")}</span>`
      : html`<${Gauge} share=${used / Math.max(1, used + left)} />`;
  return html`<section class="card pad llm"><div class="row tight"><h2>${t("llm.title")}</h2><span class="spacer"></span>
      <span class=${`chip ${llm.phase === "ready" ? "" : "warn"}`}>${t(`llm.${llm.phase}`)}</span></div>
    <p class="quiet">${llm.model} · ${t("node.waiting", { count: llm.waiting })}</p>
    <ul class="stages"><li><span>${t("llm.calls")}</span>${budget(llm.calls_left, llm.calls_today)}<span class="number">${llm.calls_today}</span></li>
      <li><span>${t("llm.tokens")}</span>${budget(llm.tokens_left, llm.tokens_today)}<span class="number">${llm.tokens_today}</span></li></ul>
    ${llm.cost_today !== null && html`<p>${t("llm.cost", { cost: llm.cost_today.toFixed(3), currency: llm.currency ?? "" })}</p>`}
    ${llm.problem && html`<p class="problem">${llm.problem}</p>`}
  </section>`;
}

function Reasons({ camera }) {
  const all = Object.entries(camera.reasons).sort(([, a], [, b]) => b - a);
  const most = Math.max(1, ...all.map(([, count]) => count));
  return html`<section class="card pad"><h2>${t("node.reasons")}</h2>
    <ul class="stages wide">${all.map(
      ([why, count]) => html`<li key=${why}><span>${t(`reason.${why}`)}</span>
        <${Gauge} share=${count / most} />
        <span class="number">${share(count, camera.frames)}</span></li>`,
    )}</ul></section>`;
}

function Moment({ frames, place, zone }) {
  if (place === null) return html`<p class="quiet">${t("node.pick")}</p>`;
  let look = place - 1;
  while (look >= 0 && !frames.looked[look]) look -= 1;
  const since = look < 0 ? null : frames.at[place] - frames.at[look];
  const outcome = frames.outcome[place];
  return html`<p class=${`verdict ${outcome === "looked" ? "yes" : "no"}`} role="status">
    <b class="number">${clock(frames.at[place] * 1000, zone)} · ${frames.score[place].toFixed(2)}</b>
    <b>${t(`outcome.${outcome}`)}</b> ${whyText({
      why: frames.why[place],
      view: frames.view[place],
      score: frames.score[place],
      threshold: frames.threshold[place],
      since,
    })}</p>`;
}

function Minutes({ camera }) {
  const { node, session } = useStore();
  const { now: found } = useScores(camera.id);
  const [picked, setPicked] = useState(null); // a time
  const [trial, setTrial] = useState(null);
  const label = useCallback((time) => clock(time * 1000, node.timezone, false), [node.timezone]);
  const exactly = useCallback((time) => clock(time * 1000, node.timezone), [node.timezone]);
  const ready = found?.camera === camera.id;
  const frames = useMemo(() => (ready ? found.frames : empty()), [found, ready]);
  const end = ready ? found.now : Date.now() / 1000;
  const first = frames.at[0] ?? end;
  const span = { from: Math.max(end - KEPT_S, Math.min(first - 5, end - LEAST_S)), to: end }; // a node that has just started
  const place = picked !== null && picked >= span.from && frames.at.length ? placeAt(frames.at, picked) : null;

  const move = (step) => () => {
    const last = frames.at.length - 1;
    if (last >= 0) setPicked(frames.at[Math.max(0, Math.min(last, (place ?? last) + step))]);
  };
  useKeys({ ArrowLeft: move(-1), ArrowRight: move(1), ShiftArrowLeft: move(-25), ShiftArrowRight: move(25) });
  const set = (threshold) => change("POST", `v1/cameras/${camera.id}/set`, { threshold });

  return html`<section class="card minutes" aria-label=${t("node.minutes")}>
      <div class="row tight pad-x"><h2>${t("node.minutes")}</h2><span class="spacer"></span>
        <a href=${`#/camera/${camera.id}`}>${t("live.open", { camera: camera.name })}</a></div>
      <div class="pad-x"><${Legend} reasons=${REASONS} /></div>
      <${Strip} frames=${frames} span=${span} threshold=${camera.threshold} trial=${trial}
        cursor=${place === null ? null : frames.at[place]} events=${ready ? found.events : []} joined=${7}
        label=${span.to - span.from < 300 ? exactly : label}
        onMove=${setPicked} name=${t("node.minutes")} now=${place === null ? "" : exactly(frames.at[place])} />
      <div class="pad-x pad-b"><${Moment} frames=${frames} place=${place} zone=${node.timezone} /></div>
    </section>
    <div class="pair"><${Trial} frames=${frames} threshold=${camera.threshold} trial=${trial} onTrial=${setTrial} label=${exactly}
        onJump=${setPicked} words="trial.set" set=${session.scope === "control" && set} /><${Reasons} camera=${camera} /></div>`;
}

export function Page({ query }) {
  const { states } = useStore();
  const { now: node, before } = usePolled(() => get("v1/debug"), []);
  const [chosen, setChosen] = useState(query.get("camera"));
  if (!node) return html`<p class="note" role="status">${t("node.waiting_for")}</p>`;
  const seconds = before ? node.time - before.time : 0;
  const earlier = new Map((before?.cameras ?? []).map((camera) => [camera.id, camera]));
  // a threshold that was set shows at once: the feed says so before the next answer
  const cameras = node.cameras.map((each) => ({
    ...each,
    threshold: states.get(each.id)?.threshold ?? each.threshold,
  }));
  const camera = cameras.find((each) => each.id === chosen) ?? cameras[0];
  return html`<div class="heading"><h1>${t("nav.debug")}</h1><span class="spacer"></span>
      ${node.temperature_c !== null && html`<span class="chip">${node.temperature_c.toFixed(0)} °C</span>`}</div>
    <p class="note">${t("node.note")}</p>
    <div class="flows">
      ${cameras.map(
        (each) => html`<${CameraFlow} key=${each.id} camera=${each} before=${earlier.get(each.id)} seconds=${seconds}
          open=${cameras.length > 1 && each === camera} onOpen=${() => setChosen(each.id)} />`,
      )}
      <${Delivery} node=${node} before=${before} seconds=${seconds} />
      <${Model} llm=${node.llm} />
      <div class="minutes-of">
      ${
        cameras.length > 1 &&
        html`<div class="tools" role="group" aria-label=${t("node.cameras")}>${cameras.map(
          (each) =>
            html`<button key=${each.id} aria-pressed=${each === camera} onClick=${() => setChosen(each.id)}>${each.name}</button>`,
        )}</div>`
      }
      <${Minutes} key=${camera.id} camera=${camera} />
      </div>
    </div>`;
}
