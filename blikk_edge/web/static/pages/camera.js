// One camera: its live picture with layers that can be switched, what is reported as it comes, and its switches.

import { change } from "../api.js";
import { eventAddress } from "../events.js";
import { useKeys } from "../keys.js";
import { LiveView, Score } from "../live_view.js";
import { Check, useLayers, Wrong } from "../parts.js";
import { useFeed, useStore } from "../store.js";
import { html, useCallback, useRef, useState } from "../vendor/preact.js";
import { clock, key, label, length, t } from "../words.js";
import { Now } from "./wall.js";

const LAYERS = { boxes: true, zones: true, motion: false };
const SHOWN_MAX = 50;

// The newest revision of each event, summaries beside their events, rings; the newest first.
function useReports(camera) {
  const [reports, setReports] = useState([]);
  const handle = useCallback(
    (envelope) => {
      if (envelope.camera !== camera.id || !["event", "ring", "summary"].includes(envelope.kind)) return;
      const { content, kind } = envelope;
      const id = kind === "summary" ? content.event : content.id;
      if (!id) return;
      setReports((before) => {
        const known = before.find((each) => each.id === id) ?? { id };
        const after = kind === "summary" ? { ...known, summary: content } : { ...known, kind, content };
        return [after, ...before.filter((each) => each.id !== id)].slice(0, SHOWN_MAX);
      });
    },
    [camera.id],
  );
  useFeed(handle);
  return reports.filter((each) => each.content);
}

function Report({ report, zone }) {
  const { content, kind, summary } = report;
  const what = kind === "ring" ? t("event.ring") : label(content.label);
  const phase = kind === "ring" ? "" : t(`phase.${content.phase}`);
  return html`<li class=${`report ${content.label ?? "ring"}`}>
    <time datetime=${content.started ?? content.time}>${clock(content.started ?? content.time, zone)}</time>
    <span><strong>${kind === "ring" ? what : html`<a href=${eventAddress(content.id)}>${what}</a>`}</strong> ${phase}
      ${content.duration_s ? html` · ${length(content.duration_s)}` : null}
      ${content.zones?.length ? html` · ${content.zones.join(", ")}` : null}
      ${summary && html`<br /><span class="said">${summary.text}</span>`}</span>
  </li>`;
}

function Switches({ camera, state }) {
  const [wrong, setWrong] = useState("");
  const set = async (values) => {
    try {
      await change("POST", `v1/cameras/${camera.id}/set`, values);
      setWrong("");
    } catch (error) {
      setWrong(error.message);
    }
  };
  if (!state) return null;
  return html`<section class="card pad"><h2>${t("switches.title")}</h2>
    <${Check} on=${state.detect} set=${(detect) => set({ detect })}>${t("switches.detect")}<//>
    <label class="row">${t("switches.threshold")} <output>${state.threshold}</output>
      <input type="range" min="0" max="1" step="0.05" value=${state.threshold}
        onChange=${(e) => set({ threshold: Number(e.target.value) })} /></label>
    <${Wrong} text=${wrong} />
  </section>`;
}

function Phone({ camera }) {
  const [link, set] = useState(null);
  const ask = () => change("POST", `v1/cameras/${camera.id}/phone`).then(set, (error) => set({ note: error.message }));
  return html`<section class="card pad"><button onClick=${ask}>${t("phone.link")}</button>
    ${link && html`<p role="status">${link.note ?? t("phone.scan")}</p>`}
    ${link?.qr && html`<img src=${link.qr} alt="" width="100%" />`}
    ${link?.url && html`<a href=${link.url}>${link.url}</a>`}</section>`;
}

export function Page({ parts }) {
  const { node, session, states, availability } = useStore();
  const camera = node.cameras.find((each) => each.id === parts[0]);
  const { layers, buttons, keys } = useLayers("blikk.layers", LAYERS);
  const [frame, setFrame] = useState(null);
  const stage = useRef(null);
  const full = () => stage.current.requestFullscreen?.();
  useKeys({ ...keys, f: full, Escape: () => location.assign("#/") });
  const reports = useReports(camera ?? { id: "" });
  if (!camera) return html`<p class="note">${t("camera.unknown")}</p>`;
  const state = states.get(camera.id);
  return html`<div class="heading"><h1>${camera.name}</h1>
      <${Now} state=${state} availability=${availability.get(camera.id)} /></div>
    <div class="camera">
      <div><div class="card" ref=${stage}>
          <${LiveView} camera=${camera} layers=${layers} onFrame=${setFrame} />
          <${Score} frame=${frame} />
        </div>
        <div class="tools" role="group" aria-label=${t("live.layers")}>
          ${buttons}
          <button onClick=${full} title=${key("f")}>${t("live.full")}</button>
          <span class="spacer"></span>
          ${
            frame &&
            html`<span class="quiet">${t(`view.${frame.view}`)} · ${frame.score.toFixed(2)}
            ${state?.fps ? html` · ${state.fps} fps` : null}</span>`
          }
        </div>
        <p class="note">${t("live.redacted")}</p>
      </div>
      <div class="side">
        <section class="card pad" aria-live="polite"><h2>${t("camera.reports")}</h2>
          ${
            reports.length
              ? html`<ol class="reports">${reports.map(
                  (report) => html`<${Report} key=${report.id} report=${report} zone=${node.timezone} />`,
                )}</ol>`
              : html`<p class="quiet">${t("camera.none")}</p>`
          }
        </section>
        ${session.scope === "control" && html`<${Switches} camera=${camera} state=${state} />`}
        ${session.scope === "control" && camera.phone && html`<${Phone} camera=${camera} />`}
        ${session.scope === "control" && html`<p><a href=${`#/zones/${camera.id}`}>${t("zones.open")}</a></p>`}
      </div>
    </div>`;
}
