// What the debugger of a clip and that of a running node share: the strip, its threshold, reasons in words, times by stage.

import { drawStrip, LOOK_COLOURS, onlyIn, placeAt, runs } from "./chart.js";
import { useDrawn } from "./drawn.js";
import { Wrong } from "./parts.js";
import { html, useMemo, useRef, useState } from "./vendor/preact.js";
import { t } from "./words.js";

// The style of these pages comes with them: no other page needs it.
export const styled = new Promise((resolve) => {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("debug.css", import.meta.url).href;
  link.onload = resolve;
  link.onerror = resolve;
  document.head.append(link);
});

const ICONS = {
  play: "M7 4l13 8-13 8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  back: "M15 4v16L4 12zM17 4h3v16h-3z",
  step: "M9 4v16l11-8zM4 4h3v16H4z",
  previous: "M12 5v14L2 12zM22 5v14l-10-7z",
  next: "M12 5v14l10-7zM2 5v14l10-7z",
  look: "M12 5C6.5 5 2.7 9 1 12c1.7 3 5.5 7 11 7s9.3-4 11-7c-1.7-3-5.5-7-11-7zm0 11.5a4.5 4.5 0 110-9 4.5 4.5 0 010 9zm0-2.5a2 2 0 100-4 2 2 0 000 4z",
};

export function Icon({ name }) {
  return html`<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path d=${ICONS[name]} fill="currentColor" /></svg>`;
}

// Seconds as 1:02.4, or 1:02:03 from an hour on.
export function stamp(seconds, digits = 1) {
  const whole = Math.floor(seconds + 1e-6);
  const two = (number) => String(number).padStart(2, "0");
  const rest = digits ? (seconds - whole).toFixed(digits).slice(1) : "";
  const minutes = Math.floor(whole / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
  return `${minutes}:${two(whole % 60)}${rest.startsWith(".") ? rest : ""}`;
}

export const ms = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

// Why the detector was to look at a frame, or why not, in a sentence.
export function whyText({ why, view, score, threshold, since }) {
  const ended = why === "motion" && (view !== "moving" || score < threshold);
  const reason = ended ? "motion_ended" : why;
  return t(`why.${reason}`, {
    score: score.toFixed(2),
    threshold: threshold.toFixed(2),
    since: since === null || since === undefined ? "?" : since.toFixed(1),
  });
}

// The strip: click, drag or arrow keys move the cursor. `span`: {from, to}.
export function Strip({ frames, span, threshold, trial, cursor, events, joined, label, onMove, name, now }) {
  const dragging = useRef(false);
  const canvas = useDrawn(
    (each) => drawStrip(each, frames, { ...span, threshold, trial, cursor, events, joined_s: joined, label }),
    [frames, frames.at.length, span.from, span.to, threshold, trial, cursor, events, label],
  );
  const drop = () => {
    dragging.current = false;
  };
  const move = (event) => {
    const box = canvas.current.getBoundingClientRect();
    onMove(span.from + ((event.clientX - box.left) / box.width) * (span.to - span.from));
  };
  return html`<div class="strip" role="slider" tabindex="0" aria-label=${name} aria-valuemin=${span.from.toFixed(1)}
    aria-valuemax=${span.to.toFixed(1)} aria-valuenow=${(cursor ?? span.to).toFixed(1)} aria-valuetext=${now}
    onPointerDown=${(event) => {
      dragging.current = true;
      event.currentTarget.setPointerCapture(event.pointerId);
      move(event);
    }}
    onPointerMove=${(event) => dragging.current && move(event)}
    onPointerUp=${drop} onPointerCancel=${drop}><canvas ref=${canvas}></canvas></div>`;
}

export const stageName = (stage) => (stage.startsWith("step.") ? stage.slice(5) : t(`stage.${stage}`));

export function Legend({ reasons }) {
  return html`<ul class="legend">
    <li><span class="key area"></span>${t("strip.score")}</li>
    <li><span class="key line"></span>${t("strip.threshold")}</li>
    ${reasons.map(
      (why) => html`<li key=${why}><span class="key tick" style=${{ background: `var(${LOOK_COLOURS[why]})` }}></span>
        ${t(`reason.${why}`)}</li>`,
    )}
  </ul>`;
}

// The slider that says at once what another threshold would have done. `set` takes it over, `words` say so; null: it may not.
export function Trial({ frames, threshold, trial, onTrial, onJump, label, flat = false, set, words }) {
  const [wrong, setWrong] = useState("");
  const take = async () => {
    try {
      await set(trial);
      setWrong("");
      onTrial(null);
    } catch (error) {
      setWrong(error.message);
    }
  };
  const found = useMemo(() => {
    const now = runs(frames, threshold);
    const then = trial === null ? now : runs(frames, trial);
    return { now, then, more: onlyIn(then, now), less: onlyIn(now, then) };
  }, [frames, frames.at.length, threshold, trial]);
  const chips = (some, sign, kind) =>
    some.slice(0, flat ? 5 : 12).map(
      (run) => html`<button class=${`jump ${kind}`} key=${`${sign}${run.began}`} onClick=${() => onJump(run.began)}>
      ${sign} ${label(run.began)}</button>`,
    );
  const said =
    trial === null || trial === threshold
      ? t("trial.now", { count: found.now.length })
      : t("trial.then", { count: found.then.length, now: found.now.length });
  return html`<section class=${`trial ${flat ? "flat" : "card pad"}`} data-now=${found.now.length} data-then=${found.then.length}>
    <h2>${t("trial.title")}</h2><output class="number">${(trial ?? threshold).toFixed(2)}</output>
    <input type="range" min="0" max="1" step="0.01" value=${trial ?? threshold} aria-label=${t("trial.title")}
      onInput=${(event) => onTrial(Number(event.target.value))} />
    <p class="said" role="status" title=${t("trial.note")}>${said}</p>
    ${
      (found.more.length > 0 || found.less.length > 0) &&
      html`<p class="jumps">${chips(found.more, "+", "more")}${chips(found.less, "−", "less")}
        ${Math.max(found.more.length, found.less.length) > (flat ? 5 : 12) && "…"}</p>`
    }
    ${!flat && html`<p class="note">${t("trial.note")}</p>`}
    ${
      set &&
      html`<span class="does"><button class="primary" disabled=${trial === null || trial === threshold} onClick=${take}>
        ${t(words, { threshold: (trial ?? threshold).toFixed(2) })}</button>
        ${trial !== null && html`<button onClick=${() => onTrial(null)}>${t("trial.forget")}</button>`}</span>
        <${Wrong} text=${wrong} />`
    }
  </section>`;
}

// A window on the strip that keeps the cursor in view. Returns [span, zoom(factor)].
export function useSpan(whole, cursor) {
  const [width, setWidth] = useState(null); // seconds; null: all of it
  const from = useRef(0);
  if (width === null || width >= whole) return [{ from: 0, to: Math.max(whole, 0.1) }, zoom];
  if (cursor < from.current + width * 0.05 || cursor > from.current + width * 0.95) from.current = cursor - width / 2;
  from.current = Math.max(0, Math.min(from.current, whole - width));
  return [{ from: from.current, to: from.current + width }, zoom];

  function zoom(factor) {
    const next = (width ?? whole) * factor;
    if (next >= whole) return setWidth(null);
    from.current = cursor - next / 2;
    return setWidth(Math.max(5, next));
  }
}

export function nextPlace(frames, place, step, wanted) {
  for (let i = place + step; i >= 0 && i < frames.at.length; i += step) if (wanted(i)) return i;
  return null;
}

export { placeAt };
