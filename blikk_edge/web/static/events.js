// What the timeline and the page of an event say of events in the same way: pictures, names, times, lines of a list.

import { address } from "./api.js";
import { html, useState } from "./vendor/preact.js";
import { clock, label, length, t } from "./words.js";

export const LABELS = ["person", "vehicle", "animal", "package"];

export const pictureAddress = (id) => address(`v1/pictures/${encodeURIComponent(id)}`);
export const eventAddress = (id) => `#/event/${encodeURIComponent(id)}`;

export const ended = (event, now) => (event.ended ? Date.parse(event.ended) : now);

// "12:03:10 – 12:04:00 · 50 s", or since when it goes on.
export function span(event, zone, now = Date.now()) {
  const from = clock(event.started, zone);
  if (!event.ended) return t("event.since", { time: from });
  const lasted = length(Math.max(0, (ended(event, now) - Date.parse(event.started)) / 1000));
  return `${from} – ${clock(event.ended, zone)} · ${lasted}`;
}

export function title(event) {
  if (event.title) return event.title;
  return event.peak > 1 ? `${event.peak} × ${label(event.label)}` : label(event.label);
}

export function Thumb({ picture }) {
  const [gone, setGone] = useState(false);
  if (!picture || gone) {
    return html`<span class="thumb none">${t("event.no_picture")}</span>`;
  }
  return html`<img class="thumb" src=${pictureAddress(picture)} alt="" loading="lazy" width="112" height="84"
    onError=${() => setGone(true)} />`;
}

export function Chips({ event }) {
  return html`<span class=${`chip ${event.label}`}>${label(event.label)}</span>
    ${!event.ended && html`<span class="chip moving">${t("event.now")}</span>`}
    ${event.importance === "high" && html`<span class="chip warn">${t("event.important")}</span>`}
    ${event.loitering && html`<span class="chip warn">${t("event.loitering")}</span>`}
    ${(event.taken || (event.ended && event.change === "taken")) && html`<span class="chip">${t("event.taken")}</span>`}
    ${event.interrupted && html`<span class="chip">${t("event.interrupted")}</span>`}
    ${event.mark && html`<span class="chip">“${event.mark}”</span>`}`;
}
