// One event: its redacted picture with the way of everybody in it, how it went, what was written and why, its neighbours.

import { address } from "../api.js";
import { COLOURS, drawBox, drawPolygon, fit } from "../draw.js";
import { useDrawn } from "../drawn.js";
import { Chips, ended, eventAddress, pictureAddress, span, title } from "../events.js";
import { useKeys } from "../keys.js";
import { useAnswer } from "../parts.js";
import { useFeed, useStore } from "../store.js";
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { clock, day as dayOf, isoDay, key, label, t } from "../words.js";

const SOON_MS = 600;

function useEvent(id) {
  const [found, setFound] = useState(null);
  const [round, setRound] = useState(0);
  const timer = useRef(0);
  const [wrong] = useAnswer(`v1/events/${encodeURIComponent(id)}`, {}, setFound, round);
  const handle = useCallback(
    ({ kind, content }) => {
      if (!(kind === "event" && content.id === id) && !(kind === "summary" && content.event === id)) return;
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setRound((count) => count + 1), SOON_MS);
    },
    [id],
  );
  useFeed(handle);
  return { found, wrong };
}

// ---- where everybody went

// Of each track its places in order: {track, points: [{time, box}]}. Without a path those of the records.
function waysOf(found) {
  if (found.path) {
    const since = Date.parse(found.path.since);
    return found.path.tracks.map(({ track, points }) => ({
      track,
      points: points.map(([s, ...box]) => ({ time: since + s * 1000, box })),
    }));
  }
  const tracks = new Map();
  const records = found.course.records.length ? found.course.records : [{ ...found.event, record: "event" }];
  for (const record of records) {
    for (const { track, box } of record.objects) {
      const time = Date.parse(record.time);
      if (!tracks.has(track)) tracks.set(track, []);
      const points = tracks.get(track);
      if (points.at(-1)?.time !== time) points.push({ time, box });
    }
  }
  return [...tracks].map(([track, points]) => ({ track, points }));
}

// Where a track is at a time, between two of its points; null before the first and after the last.
function boxAt({ points }, time) {
  if (!points.length || time < points[0].time || time > points.at(-1).time) return null;
  const at = points.findIndex((point) => point.time >= time);
  const [before, after] = [points[Math.max(0, at - 1)], points[at]];
  const share = after.time > before.time ? (time - before.time) / (after.time - before.time) : 1;
  return before.box.map((side, index) => side + (after.box[index] - side) * share);
}

const foot = ([x1, , x2, y2]) => [(x1 + x2) / 2, Math.min(y2, 0.985)];

function drawWay(context, way, width, height, colour, time) {
  const { points } = way;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const [wide, stroke] of [
    [6, "#000a"],
    [3, colour],
  ]) {
    context.lineWidth = wide;
    context.strokeStyle = stroke;
    context.beginPath();
    for (const { box } of points) {
      const [x, y] = foot(box);
      context.lineTo(x * width, y * height);
    }
    context.stroke();
  }
  points.forEach(({ box, time: then }, index) => {
    const [x, y] = foot(box);
    const end = index === 0 || index === points.length - 1;
    context.beginPath();
    context.arc(x * width, y * height, end ? 6 : 2.5, 0, Math.PI * 2);
    context.fillStyle = index === 0 ? "#fff" : then <= time ? colour : "#fff8";
    context.fill();
    if (end) {
      context.lineWidth = 2;
      context.strokeStyle = "#000c";
      context.stroke();
    }
  });
}

function paint(canvas, { camera, ways, time, layers, kind }) {
  const { context, width, height } = fit(canvas);
  if (layers.zones) {
    for (const zone of camera?.zones ?? []) drawPolygon(context, zone.polygon, width, height, "zone", zone.id);
  }
  if (!layers.path) return;
  for (const way of ways) drawWay(context, way, width, height, COLOURS[kind], time);
  for (const box of ways.map((way) => boxAt(way, time)).filter(Boolean)) {
    drawBox(context, box, width, height, kind, label(kind));
  }
}

function Stage({ found, camera, ways, picture, time, layers }) {
  const [gone, setGone] = useState(false);
  const [shape, setShape] = useState("16 / 9");
  const { node } = useStore();
  const { event } = found;
  const overlay = useDrawn(
    (canvas) => paint(canvas, { camera, ways, time, layers, kind: event.label }),
    [found, ways, time, layers, shape],
  );
  useEffect(() => setGone(false), [picture?.id]);
  const said = t("event.picture", { what: title({ ...event, title: found.summary?.title }) });
  const why = !node.pictures
    ? t("timeline.no_pictures")
    : event.ended
      ? t("event.picture_gone")
      : t("event.no_picture_yet");
  return html`<div class="live still" style=${{ aspectRatio: shape }} data-ways=${ways.length}>
    ${
      picture && !gone
        ? html`<img src=${pictureAddress(picture.id)} alt=${said} onError=${() => setGone(true)}
          onLoad=${({ target }) => setShape(`${target.naturalWidth} / ${target.naturalHeight}`)} />`
        : html`<p class="over">${why}</p>`
    }
    <canvas ref=${overlay} class="overlay" aria-hidden="true"></canvas>
  </div>`;
}

// ---- what is known

const listed = (facts) =>
  html`<dl class="facts-list">${facts
    .filter(([, value]) => value)
    .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

function Facts({ found, camera, zone }) {
  const { event, rings } = found;
  const scores = [event, ...found.course.records].flatMap((each) => each.objects.map((seen) => seen.score));
  const facts = [
    [t("title.camera"), html`<a href=${`#/camera/${event.camera}`}>${camera?.name ?? event.camera}</a>`],
    [t("event.time"), span(event, zone)],
    [t("layer.zones"), event.zones.join(", ")],
    [t("event.peak"), event.peak > 1 ? event.peak : null],
    [
      t("event.kind"),
      [
        ...new Set(event.objects.map((each) => (each.sub_label === each.label ? label(each.label) : each.sub_label))),
      ].join(", "),
    ],
    [t("event.score"), scores.length ? `${Math.round(Math.max(...scores) * 100)} %` : null],
    [t("event.ring"), rings.map((ring) => clock(ring.time, zone)).join(", ")],
    [t("event.id"), html`<code>${event.id}</code>`],
  ];
  return listed(facts);
}

function Summary({ summary, event, node }) {
  if (!summary) {
    return html`<section class="card pad"><h2>${t("event.summary")}</h2>
      <p class="quiet">${event.ended ? t("event.no_summary") : t("event.no_summary_yet")}</p></section>`;
  }
  const tokens = summary.tokens.input + summary.tokens.output;
  return html`<section class="card pad summary"><h2>${t("event.summary")}</h2>
    <p class="said">${summary.text}</p>
    <details><summary>${t(`why.${summary.why}`)}</summary>
      ${listed([
        [t("why.by"), summary.model],
        [t("why.tokens"), tokens > 0 && t("why.in_out", summary.tokens)],
        [t("why.pictures"), summary.pictures],
        [t("why.importance"), t(`importance.${summary.importance}`)],
        [t("why.written"), clock(summary.time, node.timezone)],
      ])}
      <p class="note">${t(`why.${summary.why}_more`)}</p>
    </details>
  </section>`;
}

function said(record) {
  if (record.record === "event")
    return t("course.report", { what: t(`phase.${record.phase}`), number: record.revision });
  const who = [...new Set(record.objects.map((each) => label(each.label)))].join(", ");
  const folded = record.folded > 1 ? ` × ${record.folded}` : "";
  const where = record.kind.endsWith("_zone") && record.zones.length ? ` ${record.zones.join(", ")}` : "";
  return `${who ? `${who}: ` : ""}${t(`observed.${record.change ?? record.kind}`)}${where}${folded}`;
}

function Course({ found, zone, time, seek }) {
  const { records, whole } = found.course;
  return html`<section class="card pad"><h2>${t("course.title")}</h2>
    ${
      records.length
        ? html`<ol class="course">${records.map((record) => {
            const at = Date.parse(record.time);
            return html`<li key=${`${record.record}${record.id}${record.revision ?? ""}`} class=${record.record}>
              <button aria-pressed=${Math.abs(at - time) < 50} onClick=${() => seek(at)} onFocus=${() => seek(at)}>
                <time datetime=${record.time}>${clock(record.time, zone)}</time> <span>${said(record)}</span></button></li>`;
          })}</ol>`
        : html`<p class="quiet">${t("course.none")}</p>`
    }
    ${records.length > 0 && !whole && html`<p class="note">${t("course.part")}</p>`}
  </section>`;
}

// ---- the page

function Neighbours({ before, after, zone }) {
  const link = (beside, text, pressed, sign) =>
    beside
      ? html`<a class="button" href=${eventAddress(beside.id)} title=${key(pressed)}>${text}
          <small>${clock(beside.started, zone, false)}</small></a>`
      : html`<span class="button off" aria-hidden="true">${sign}</span>`;
  return html`<nav class="neighbours" aria-label=${t("event.neighbours")}>
    ${link(before, `‹ ${t("event.before")}`, "←", "‹")}${link(after, `${t("event.after")} ›`, "→", "›")}</nav>`;
}

function useTimes(found, ways, picture) {
  const event = found?.event;
  const times = ways.flatMap((way) => way.points.map((point) => point.time));
  const since = Math.min(...times, event ? Date.parse(event.started) : 0);
  const until = Math.max(...times, event ? ended(event, Math.max(...times)) : 0);
  const [time, setTime] = useState(null);
  useEffect(() => setTime(null), [event?.id, picture?.id]);
  const first = picture ? Date.parse(picture.time) : until;
  return { since, until, time: time ?? Math.min(Math.max(first, since), until), setTime };
}

function Pictures({ pictures, shown, show, zone }) {
  if (pictures.length < 2) return null;
  return html`<div class="strip" role="group" aria-label=${t("event.pictures")}>${[...pictures].reverse().map(
    (each) => html`<button key=${each.id} aria-pressed=${each.id === shown.id} onClick=${() => show(each.id)}>
      <img src=${pictureAddress(each.id)} alt=${clock(each.time, zone)} loading="lazy" width="96" height="72" /></button>`,
  )}</div>`;
}

export function Page({ parts }) {
  const id = decodeURIComponent(parts[0]);
  const { node } = useStore();
  const { found, wrong } = useEvent(id);
  const [layers, setLayers] = useState({ path: true, zones: true });
  const [wanted, setWanted] = useState(null);
  const [film, setFilm] = useState(false);
  const ways = useMemo(() => (found ? waysOf(found) : []), [found]);
  const picture = found?.pictures.find((each) => each.id === wanted) ?? found?.pictures[0];
  const { since, until, time, setTime } = useTimes(found, ways, picture);
  const zone = node.timezone;
  const back = found ? `#/timeline?day=${isoDay(found.event.started, zone)}` : "#/timeline";
  const exported = address(`v1/events/${encodeURIComponent(id)}/export`);
  useKeys({
    ArrowLeft: () => found?.before && location.assign(eventAddress(found.before.id)),
    ArrowRight: () => found?.after && location.assign(eventAddress(found.after.id)),
    Escape: () => location.assign(back),
    p: () => setLayers((before) => ({ ...before, path: !before.path })),
    z: () => setLayers((before) => ({ ...before, zones: !before.zones })),
  });
  if (wrong) {
    return html`<h1>${t("title.event")}</h1><div class="empty card pad">
      <p>${wrong.status === 404 ? t("event.gone") : wrong.message}</p><a href="#/timeline">${t("nav.timeline")}</a></div>`;
  }
  if (!found) return html`<p class="quiet" role="status">${t("timeline.loading")}</p>`;
  const { event, summary } = found;
  const camera = node.cameras.find((each) => each.id === event.camera);
  return html`<p class="crumbs"><a href=${back}>‹ ${dayOf(event.started, zone)}</a></p>
    <div class="heading"><h1>${title({ ...event, title: summary?.title })}</h1>
      <${Chips} event=${{ ...event, importance: summary?.importance }} />
      <span class="spacer"></span>
      <${Neighbours} before=${found.before} after=${found.after} zone=${zone} /></div>
    <div class="camera event">
      <div><div class="card">
          <${Stage} found=${found} camera=${camera} ways=${ways} picture=${picture} time=${time} layers=${layers} />
        </div>
        ${
          ways.length > 0 &&
          html`<label class="scrub"><span class="hidden">${t("event.scrub")}</span>
          <input type="range" min=${since} max=${until} step="100" value=${time}
            aria-valuetext=${clock(time, zone)} onInput=${({ target }) => setTime(Number(target.value))} />
          <output>${clock(time, zone)}</output></label>`
        }
        <div class="tools" role="group" aria-label=${t("live.layers")}>
          <button aria-pressed=${layers.path} title=${key("p")}
            onClick=${() => setLayers({ ...layers, path: !layers.path })}>${t("event.path")}</button>
          ${
            camera?.zones.length > 0 &&
            html`<button aria-pressed=${layers.zones} title=${key("z")}
            onClick=${() => setLayers({ ...layers, zones: !layers.zones })}>${t("layer.zones")}</button>`
          }
          <span class="spacer"></span>
          ${found.clip && html`<button onClick=${() => setFilm(!film)} aria-pressed=${film}>${t("event.clip")}</button>`}
          <a class="button" href=${exported} download title=${t("event.export_hint")}>${t("event.export")}</a>
        </div>
        ${
          film &&
          html`<video class="live" controls autoplay src=${address(`v1/events/${encodeURIComponent(id)}/clip`)}></video>
          <p class="note">${t(found.clip?.redacted ? "event.redacted" : "event.clip_faces")}</p>`
        }
        <${Pictures} pictures=${found.pictures} shown=${picture} show=${setWanted} zone=${zone} />
        <p class="note">${found.path ? t("event.path_note") : found.event.ended ? t("event.path_rough") : t("event.path_later")}
          ${picture && ` ${t("event.redacted")}`}</p>
      </div>
      <div class="side">
        <${Summary} summary=${summary} event=${event} node=${node} />
        <section class="card pad"><h2>${t("event.known")}</h2>
          <${Facts} found=${found} camera=${camera} zone=${zone} /></section>
        <${Course} found=${found} zone=${zone} time=${time} seek=${setTime} />
      </div>
    </div>`;
}
