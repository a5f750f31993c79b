// A day as one lane for each camera: events as bars over time, which can be zoomed and moved.

import { drawMarks, fit } from "./draw.js";
import { useDrawn } from "./drawn.js";
import { cameraAddress, LABELS, span, Thumb, title } from "./events.js";
import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { clock, key, mark, n, t } from "./words.js";

const ROW = 13;
const GAP = 3;
const PAD = 9;
const LEAST_MS = 5 * 60_000;
const NEAR_PX = 7;
const TICK_PX = 62;
const STEPS_MIN = [1, 5, 15, 30, 60, 120, 180, 240, 360];

// ---- the part of the day that is shown

export function within(view, day) {
  const whole = day.until - day.since;
  const wide = Math.min(whole, Math.max(LEAST_MS, view.until - view.since));
  const since = Math.min(Math.max(view.since, day.since), day.until - wide);
  return { since, until: since + wide };
}

export function zoomed(view, day, factor, at = (view.since + view.until) / 2) {
  return within({ since: at - (at - view.since) * factor, until: at + (view.until - at) * factor }, day);
}

export function moved(view, day, ms) {
  return within({ since: view.since + ms, until: view.until + ms }, day);
}

// ---- drawing

function colours(element) {
  const style = getComputedStyle(element);
  const names = [...LABELS, "line", "faint", "accent", "ground", "ink"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// The marks of the axis: full hours as the node has them (a day may have 23 or 25), and parts of them.
function ticks(day, view, width) {
  const perMinute = width / ((view.until - view.since) / 60_000);
  const step = STEPS_MIN.find((minutes) => minutes * perMinute >= TICK_PX) ?? 720;
  const found = [];
  for (const { time, hour } of day.hours) {
    if (step >= 60 && hour % (step / 60)) continue;
    for (let minute = 0; minute < 60; minute += Math.min(step, 60)) found.push(time + minute * 60_000);
  }
  return found.filter((time) => time >= view.since && time <= view.until);
}

function drawBars(context, bars, { view, now, chosen, width, x, colour }) {
  const drawn = new Map(); // where the last bar of each row begins: many share a pixel, the newest come first
  for (const { event, row } of bars) {
    if ((event.to ?? now) < view.since || event.from > view.until) continue;
    const left = x(event.from);
    const wide = Math.max(3, x(event.to ?? now) - left);
    if (wide === 3 && Math.round(left) >= (drawn.get(row) ?? width) && event.id !== chosen) continue;
    drawn.set(row, Math.round(left));
    const top = PAD + row * (ROW + GAP);
    context.fillStyle = colour[event.label];
    context.beginPath();
    context.roundRect(left, top, wide, ROW, Math.min(4, wide / 2));
    context.fill();
    if (event.id !== chosen) continue;
    context.strokeStyle = colour.ink;
    context.lineWidth = 2;
    context.strokeRect(left - 2, top - 2, wide + 4, ROW + 4);
  }
}

function drawRings(context, rings, x, colour) {
  context.fillStyle = colour.accent;
  for (const ring of rings) {
    const at = x(ring.from);
    context.beginPath();
    context.moveTo(at, 0);
    context.lineTo(at + 5, 6);
    context.lineTo(at, 12);
    context.lineTo(at - 5, 6);
    context.fill();
  }
}

function drawLane(canvas, lane, { day, view, now, chosen }) {
  const { context, width, height } = fit(canvas);
  const colour = colours(canvas);
  const x = (time) => ((time - view.since) / (view.until - view.since)) * width;
  context.fillStyle = colour.line;
  for (const time of ticks(day, view, width)) context.fillRect(Math.round(x(time)), 0, 1, height);
  if (day.today && now < view.until) {
    context.globalAlpha = 0.35;
    context.fillRect(Math.max(0, x(now)), 0, width, height);
    context.globalAlpha = 1;
  }
  drawBars(context, lane.bars, { view, now, chosen, width, x, colour });
  drawRings(context, lane.rings, x, colour);
  if (day.today && now >= view.since && now <= view.until) {
    context.fillStyle = colour.accent;
    context.fillRect(Math.round(x(now)), 0, 2, height);
  }
}

function drawAxis(canvas, { day, view, zone }) {
  const { context, width, height } = fit(canvas);
  context.fillStyle = colours(canvas).faint;
  context.font = "12px system-ui, sans-serif";
  const x = (time) => ((time - view.since) / (view.until - view.since)) * width;
  const marks = ticks(day, view, width).map((time) => [x(time), mark(time, zone)]);
  drawMarks(context, marks, width, height - 6);
}

function laneOf(camera, items) {
  const here = items.filter((item) => item.camera === camera.id);
  const events = here.filter((item) => item.label);
  const labels = LABELS.filter((label) => events.some((event) => event.label === label));
  return {
    camera,
    rows: Math.max(1, labels.length),
    bars: events.map((event) => ({ event, row: labels.indexOf(event.label) })),
    rings: here.filter((item) => !item.label),
  };
}

function Lane({ lane, scene, onPoint }) {
  const canvas = useDrawn((each) => drawLane(each, lane, scene), [lane, scene]);
  const height = PAD * 2 + lane.rows * ROW + (lane.rows - 1) * GAP;
  const said = `${lane.camera.name}: ${n("timeline.events", lane.bars.length)}`;
  return html`<a class="lane-name" href=${lane.camera.href ?? cameraAddress(lane.camera.id)}>${lane.camera.name}</a>
    <canvas ref=${canvas} role="img" aria-label=${said} style=${{ height: `${height}px` }} data-camera=${lane.camera.id}
      data-bars=${lane.bars.length} onPointerMove=${(event) => event.pointerType === "mouse" && onPoint(lane, event)}
      onPointerLeave=${() => onPoint(null)} onClick=${(event) => onPoint(lane, event, true)}></canvas>`;
}

function Axis({ scene }) {
  const canvas = useDrawn((each) => drawAxis(each, scene), [scene]);
  return html`<span class="lane-name"></span><canvas ref=${canvas} class="axis" aria-hidden="true"></canvas>`;
}

// The bar at this place of a lane, or the nearest one beside it.
function barAt(lane, { view, now }, event) {
  const bounds = event.target.getBoundingClientRect();
  const perPx = (view.until - view.since) / bounds.width;
  const time = view.since + (event.clientX - bounds.left) * perPx;
  const row = (event.clientY - bounds.top - PAD + GAP / 2) / (ROW + GAP);
  let best = null;
  for (const bar of lane.bars) {
    const { from, to } = bar.event;
    const away = Math.max(0, from - time, time - Math.max(to ?? now, from + 3 * perPx)) / perPx;
    const off = Math.abs(bar.row + 0.5 - row) > 0.5 ? 4 : 0;
    if (away <= NEAR_PX && (!best || away + off < best.far)) best = { bar, far: away + off };
  }
  return best?.bar ?? null;
}

function useZoom(place, view, day, setView) {
  const now = useRef({ view, day });
  now.current = { view, day };
  useEffect(() => {
    const element = place.current;
    const go = (next) => {
      now.current.view = next; // several events may come before anything is drawn again
      setView(next);
    };
    const fingers = new Map();
    let dragged = 0;
    const timeAt = (x) => {
      const bounds = element.querySelector("canvas").getBoundingClientRect();
      const { since, until } = now.current.view;
      return since + ((x - bounds.left) / bounds.width) * (until - since);
    };
    const perPx = () => {
      const { since, until } = now.current.view;
      return (until - since) / element.querySelector("canvas").getBoundingClientRect().width;
    };
    const wheel = (event) => {
      event.preventDefault();
      const { view, day } = now.current;
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) go(moved(view, day, event.deltaX * perPx()));
      else go(zoomed(view, day, 1.0018 ** event.deltaY, timeAt(event.clientX)));
    };
    const down = (event) => {
      dragged = 0;
      fingers.set(event.pointerId, event.clientX);
    };
    const move = (event) => {
      const before = fingers.get(event.pointerId);
      if (before === undefined) return;
      const { view, day } = now.current;
      if (fingers.size === 1) {
        dragged += Math.abs(event.clientX - before);
        go(moved(view, day, (before - event.clientX) * perPx()));
      } else {
        const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
        const factor = Math.max(8, Math.abs(before - other)) / Math.max(8, Math.abs(event.clientX - other));
        dragged = NEAR_PX * 2;
        go(zoomed(view, day, factor, timeAt((other + event.clientX) / 2)));
      }
      fingers.set(event.pointerId, event.clientX);
    };
    const up = (event) => fingers.delete(event.pointerId);
    const click = (event) => dragged > NEAR_PX && event.stopPropagation(); // it was no click
    element.addEventListener("wheel", wheel, { passive: false });
    element.addEventListener("pointerdown", down);
    element.addEventListener("click", click, true);
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
    return () => {
      element.removeEventListener("wheel", wheel);
      element.removeEventListener("pointerdown", down);
      element.removeEventListener("click", click, true);
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
    };
  }, []);
}

function Tip({ tip, zone, now }) {
  if (!tip) return null;
  const { event } = tip.bar;
  return html`<div class="tip card" style=${{ left: `${tip.left}px`, top: `${tip.top}px` }} aria-hidden="true">
    ${event.picture && html`<${Thumb} key=${event.picture} picture=${event.picture} />`}
    <span><strong>${title(event)}</strong><br />${span(event, zone, now)}</span>
  </div>`;
}

export function Lanes({ cameras, data, day, view, setView, zoom, now, zone, chosen, choose }) {
  const place = useRef(null);
  const [tip, setTip] = useState(null);
  useZoom(place, view, day, setView);
  const scene = { day, view, now, chosen, zone };
  const lanes = useMemo(
    () => cameras.map((camera) => laneOf(camera, data.items)),
    [data, cameras.map((camera) => camera.id).join()],
  );
  const point = (lane, event, click = false) => {
    const bar = lane && barAt(lane, scene, event);
    if (click && bar) choose(bar.event.id);
    if (!bar || click) return setTip(null);
    const bounds = place.current.getBoundingClientRect();
    return setTip({
      bar,
      left: Math.min(Math.max(0, event.clientX - bounds.left - 120), bounds.width - 250),
      top: event.clientY - bounds.top + 18,
    });
  };
  const whole = view.since <= day.since && view.until >= day.until;
  return html`<section class="card lanes-card" aria-label=${t("timeline.lanes")}>
    <div class="lanes" ref=${place}>
      <${Axis} scene=${scene} />
      ${lanes.map((lane) => html`<${Lane} key=${lane.camera.id} lane=${lane} scene=${scene} onPoint=${point} />`)}
      <${Tip} tip=${tip} zone=${zone} now=${now} />
    </div>
    <div class="tools" role="group" aria-label=${t("timeline.zoom")}>
      <button aria-label=${t("timeline.closer")} title=${key("+")}
        onClick=${() => zoom(0.5)}>+</button>
      <button aria-label=${t("timeline.wider")} title=${key("−")} disabled=${whole}
        onClick=${() => zoom(2)}>−</button>
      <button disabled=${whole} title=${key("0")} onClick=${() => setView(day)}>
        ${t("timeline.whole")}</button>
      <span class="quiet">${!whole && `${clock(view.since, zone, false)} – ${clock(view.until, zone, false)}`}</span>
      <span class="spacer"></span>
      <span class="hues" aria-hidden="true">${LABELS.map(
        (label) => html`<span class=${`hue ${label}`} key=${label}>${t(`label.${label}`)}</span>`,
      )}</span>
    </div>
  </section>`;
}
