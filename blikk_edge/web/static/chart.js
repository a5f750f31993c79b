// Scores over time on a canvas: the strip below the debugger's picture. Times are seconds, scores 0..1.

import { drawMarks, fit } from "./draw.js";

const AXIS = 16;
const LOOKS = 12;
const LANE = 15;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const LABEL_PX = 84;

export const LOOK_COLOURS = {
  motion: "--bad",
  small: "--warn",
  follow: "--vehicle",
  first: "--faint",
  scene: "--package",
  sample: "--animal",
  hint: "--text",
  picture: "--person",
  live: "--accent",
};

// The runs of motion that frames would have made with a threshold: `core.probe.runs`, tested against it.
export function runs({ at, score, view }, threshold, gap = 1) {
  const found = [];
  let moved = null;
  for (let i = 0; i < at.length; i += 1) {
    if (view[i] !== "moving" || score[i] < threshold) continue;
    if (moved === null || at[i] < moved || at[i] - moved > gap) {
      found.push({ began: at[i], ended: at[i], frames: 1, peak: score[i], first: i });
    } else {
      const last = found[found.length - 1];
      last.ended = at[i];
      last.frames += 1;
      last.peak = Math.max(last.peak, score[i]);
    }
    moved = at[i];
  }
  return found;
}

// Those runs of `some` that no run of `others` overlaps.
export function onlyIn(some, others) {
  return some.filter((run) => !others.some((other) => other.began <= run.ended && run.began <= other.ended));
}

// The place of the last frame at or before a time; 0 before the first.
export function placeAt(at, time) {
  let low = 0;
  let high = at.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (at[middle] <= time) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}

// Events on as few lanes as let none cover another.
export function lanes(events) {
  const ends = [];
  return events.map((event) => {
    const free = ends.findIndex((end) => end <= event.started);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = event.ended;
    return lane;
  });
}

const sheet = () => {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
};

function axis(context, colour, { from, to, width, bottom, label }) {
  const span = to - from;
  const step = STEPS_S.find((each) => (each / span) * width >= LABEL_PX) ?? STEPS_S[STEPS_S.length - 1];
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colour("--faint");
  context.strokeStyle = colour("--line");
  context.lineWidth = 1;
  const marks = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    const x = Math.round(((time - from) / span) * width) + 0.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, bottom);
    context.stroke();
    marks.push([x, label(time)]);
  }
  drawMarks(context, marks, width, bottom + 12);
}

// The highest score and the strongest look of each pixel column.
function columns(frames, from, to, width) {
  const tops = new Float32Array(Math.ceil(width)).fill(-1);
  const looks = new Array(tops.length);
  const { at, score, looked, why } = frames;
  for (let i = placeAt(at, from); i < at.length && at[i] <= to; i += 1) {
    const column = Math.floor(((at[i] - from) / (to - from)) * width);
    if (column < 0 || column >= tops.length) continue;
    if (score[i] > tops[column]) tops[column] = score[i];
    if (looked[i] && looks[column] !== "motion") looks[column] = why[i];
  }
  return { tops, looks };
}

function curve(context, tops, top, bottom, joined) {
  let last = null;
  context.beginPath();
  for (let x = 0; x < tops.length; x += 1) {
    if (tops[x] < 0) continue;
    const y = bottom - tops[x] * (bottom - top);
    if (last === null || x - last > joined) {
      if (last !== null) context.lineTo(last + 0.5, bottom);
      context.moveTo(x + 0.5, bottom);
    }
    context.lineTo(x + 0.5, y);
    last = x;
  }
  if (last !== null) context.lineTo(last + 0.5, bottom);
}

function line(context, colour, y, width, dashes, words, above) {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(0, y);
  context.lineTo(width, y);
  context.stroke();
  context.setLineDash([]);
  context.font = "600 11px system-ui, sans-serif";
  context.fillText(words, width - context.measureText(words).width - 3, above ? y - 4 : y + 12);
}

// Draw the strip. `frames`: columns {at, score, view, why, looked}. `shown`: {from, to, threshold, trial, cursor, events,
// joined_s, label(time)}; `trial` is another threshold or null, `joined_s` the longest pause within one curve.
export function drawStrip(canvas, frames, shown) {
  const { context, width, height } = fit(canvas);
  const colour = sheet();
  const { from, to, events } = shown;
  const span = Math.max(1e-3, to - from);
  const x = (time) => ((time - from) / span) * width;
  const places = lanes(events);
  const top = 6 + LANE * Math.max(1, ...places.map((lane) => lane + 1));
  const bottom = height - AXIS - LOOKS;
  axis(context, colour, { from, to: from + span, width, bottom: height - AXIS, label: shown.label });

  const { tops, looks } = columns(frames, from, from + span, width);
  const joined = Math.max(2, (shown.joined_s / span) * width);
  curve(context, tops, top, bottom, joined);
  context.fillStyle = colour("--accent");
  context.globalAlpha = 0.3;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = colour("--accent");
  context.lineWidth = 1;
  context.stroke();

  for (let column = 0; column < looks.length; column += 1) {
    if (!looks[column]) continue;
    context.fillStyle = colour(LOOK_COLOURS[looks[column]] ?? "--ink");
    context.fillRect(column, bottom + 3, Math.max(1, Math.min(2, width / 400)), LOOKS - 4);
  }
  events.forEach((event, index) => {
    const left = x(event.started);
    context.fillStyle = colour(`--${event.label}`);
    context.globalAlpha = event.phase === "ended" ? 0.85 : 0.55;
    context.beginPath();
    context.roundRect(left, 2 + places[index] * LANE, Math.max(3, x(event.ended) - left), LANE - 4, 3);
    context.fill();
    context.globalAlpha = 1;
  });

  const y = (score) => bottom - score * (bottom - top);
  const near = shown.trial !== null && Math.abs(shown.trial - shown.threshold) < 0.12;
  const level = (name, value, other, dashes) =>
    line(context, colour(name), y(value), width, dashes, value.toFixed(2), !near || other < value);
  level("--bad", shown.threshold, shown.trial, []);
  if (shown.trial !== null) level("--warn", shown.trial, shown.threshold, [5, 4]);
  if (shown.cursor !== null) {
    context.fillStyle = colour("--ink");
    context.fillRect(x(shown.cursor) - 1, 0, 2, height - AXIS);
    context.beginPath();
    context.moveTo(x(shown.cursor) - 6, 0);
    context.lineTo(x(shown.cursor) + 6, 0);
    context.lineTo(x(shown.cursor), 8);
    context.fill();
  }
}
