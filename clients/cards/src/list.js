// The list of events: a heading for each day, a row for each event, and what is shown of the one that is opened.

import { banner, button, h, icon, notice } from "./dom.js";
import { fill, labelName, zoneName } from "./texts.js";

const ICONS = {
  person: "mdi:account",
  vehicle: "mdi:car",
  animal: "mdi:paw",
  package: "mdi:package-variant-closed",
  ring: "mdi:doorbell",
};

/** The icon of a label. */
export const labelIcon = (label) => ICONS[label] ?? "mdi:eye";

const RING_NEAR_MS = 10_000; // somebody rings and is seen at once, or the other way round

/** What an event is called: what was written about it, or what it is. */
const eventName = (event, texts) =>
  event.title ?? (event.label === "ring" ? texts.somebody_rang : labelName(texts, event.label));

/** Events without the rings that belong to a visit among them; `rings` has these by the visit's id. */
function foldRings(events) {
  const rings = new Map();
  const visits = events.filter((event) => event.label === "person");
  const folded = events.filter((event) => {
    if (event.label !== "ring") return true;
    const time = Date.parse(event.started);
    const visit = visits.find(
      ({ camera, started, ended }) =>
        camera === event.camera &&
        time >= Date.parse(started) - RING_NEAR_MS &&
        (!ended || time <= Date.parse(ended) + RING_NEAR_MS),
    );
    if (visit) rings.set(visit.id, [...(rings.get(visit.id) ?? []), event]);
    return !visit;
  });
  return { folded, rings };
}

/**
 * Shows `events` in `element`; a row stays the same element for as long as its event does, with focus and picture.
 * `showCamera` tells each event's camera too.
 */
export class EventList {
  constructor(element, events, { showCamera }) {
    this._element = element;
    this._events = events;
    this._showCamera = showCamera;
    this._rows = new Map(); // by event
    this._kept = new Map(); // all else, by what it is
    this._opened = null;
    this._spoken = h("div", { className: "hidden", role: "status" });
    this._content = h("div");
    element.append(this._content, this._spoken);
  }

  /** Open an event and bring it into view. */
  open(id) {
    const visit = [...this._rings].find(([, rings]) => rings.some((ring) => ring.id === id));
    this._opened = visit ? visit[0] : id;
    this.show(this._writing, this._options);
    const row = this._rows.get(this._opened)?.element;
    row?.scrollIntoView({ block: "start" }); // its picture, still to come, grows downwards
    row?.querySelector("button").focus({ preventScroll: true });
  }

  /**
   * Show what there is now. Of `options`, `filtered` and `clear` are of the filters, `message` stands before all else,
   * `most` are so many events and no more, and `url` makes an address of a path.
   */
  show(writing, options = {}) {
    if (this._writing !== writing) {
      this._rows.clear();
      this._kept.clear();
    }
    this._writing = writing;
    this._options = options;
    this._used = new Set();
    const { texts } = writing;
    const { events, state, cameras } = this._events;
    const there = new Set(cameras?.map((camera) => camera.entity_id));
    const { folded, rings } = foldRings(events.filter((event) => cameras === null || there.has(event.camera)));
    this._rings = rings;
    this._shown = folded.slice(0, options.most);
    this._element.setAttribute("aria-busy", String(state === "loading" || this._events.fetching));
    this._speak();
    const parts = [];
    const { message } = options;
    if (message) parts.push(this._part(message, () => banner("mdi:help-circle-outline", message)));
    const reload = () => this._events.reload();
    if (this._events.anchored) parts.push(this._part("newest", () => button(texts.newest, reload)));
    for (const { node, reason } of this._events.missing) {
      const text = fill(texts[reason] ?? texts.refused, { node });
      parts.push(this._part(text, () => banner("mdi:lan-disconnect", text)));
    }
    const status = this._status(texts, options);
    if (status) parts.push(status);
    parts.push(...this._days(writing));
    if (this._shown.length && this._events.before !== null && !options.most) {
      const older = this._part("older", () => button(texts.older, () => this._events.older()));
      older.setAttribute("aria-disabled", String(this._events.fetching));
      parts.push(older);
    }
    replace(this._content, parts);
    for (const key of this._kept.keys()) if (!this._used.has(key)) this._kept.delete(key);
  }

  /** An element that stays the same for as long as it is shown, with its focus. */
  _part(key, make) {
    this._used.add(key);
    if (!this._kept.has(key)) this._kept.set(key, make());
    return this._kept.get(key);
  }

  /** What there is to say where events are missing. */
  _status(texts, { filtered, message }) {
    const { state, cameras, error } = this._events;
    if (state === "failed") {
      const text = error === "unknown_command" ? texts.not_loaded : texts.failed;
      const again = () => this._events.reload();
      return this._part(text, () => notice("mdi:alert-outline", text, button(texts.retry, again)));
    }
    // where a node is away, nobody knows that nothing happened
    if (this._shown.length || this._events.missing.length) return null;
    if (state === "loading") return this._part("loading", () => skeleton(texts));
    if (cameras?.length === 0) {
      return message ? null : this._part("no_cameras", () => notice("mdi:cctv-off", texts.no_cameras));
    }
    if (filtered) {
      const all = button(texts.show_all, () => this._options.clear());
      return this._part("empty_filtered", () => notice("mdi:filter-off-outline", texts.empty_filtered, all));
    }
    return this._part("empty", () => notice("mdi:timeline-clock-outline", texts.empty));
  }

  _days(writing) {
    const days = new Map();
    for (const event of this._shown) {
      const key = writing.dayKey(new Date(event.started));
      if (!days.has(key)) days.set(key, []);
      days.get(key).push(event);
    }
    const ids = new Set(this._shown.map((event) => event.id));
    for (const id of this._rows.keys()) if (!ids.has(id)) this._rows.delete(id);
    return [...days].flatMap(([key, events]) => {
      const heading = this._part(`day ${key}`, () => h("h3", { id: `day-${key}` }));
      const list = this._part(`list ${key}`, () => h("ul", { "aria-labelledby": `day-${key}` }));
      heading.textContent = writing.day(new Date(events[0].started));
      replace(
        list,
        events.map((event) => this._row(event, writing)),
      );
      return [heading, list];
    });
  }

  /** The row of an event; made anew only where something of it has changed. */
  _row(event, writing) {
    const opened = this._opened === event.id;
    const state = JSON.stringify([event, opened, this._rings.get(event.id)]);
    const known = this._rows.get(event.id);
    if (known?.state === state) return known.element;
    const made = this._makeRow(event, writing, opened);
    if (known) {
      const focused = known.element.getRootNode().activeElement;
      const had = focused && known.element.contains(focused);
      keepPictures(known.element, made);
      known.element.replaceWith(made);
      if (had) made.querySelector("button").focus({ preventScroll: true });
    }
    this._rows.set(event.id, { element: made, state });
    return made;
  }

  _makeRow(event, writing, opened) {
    const { texts } = writing;
    const detail = `detail-${event.id}`;
    const toggle = () => {
      this._opened = opened ? null : event.id;
      this.show(this._writing, this._options);
    };
    const important = event.importance === "high";
    return h(
      "li",
      { className: opened ? "opened" : "", "data-event": event.id },
      h(
        "button",
        { className: "row", type: "button", onclick: toggle, "aria-expanded": String(opened), "aria-controls": detail },
        h("span", { className: "thumb" }, icon(labelIcon(event.label)), this._picture(event, "", 0)),
        h(
          "span",
          { className: "words" },
          h(
            "span",
            { className: "name" },
            important ? h("ha-icon", { className: "high", icon: "mdi:alert-circle", "aria-hidden": "true" }) : null,
            important ? h("span", { className: "hidden" }, `${texts.important}: `) : null,
            eventName(event, texts),
          ),
          event.text && !opened ? h("span", { className: "text" }, event.text) : null,
          h("span", { className: "facts" }, ...this._facts(event, writing)),
        ),
      ),
      h("div", { className: "detail", id: detail, hidden: !opened }, ...(opened ? this._detail(event, writing) : [])),
    );
  }

  _facts(event, writing) {
    const { texts } = writing;
    const started = new Date(event.started);
    const time = h("b", {}, writing.time(started));
    const facts = event.ended ? [time] : [h("b", { className: "now" }, fill(texts.since, { time: time.textContent }))];
    if (event.ended && event.label !== "ring") facts.push(writing.duration((Date.parse(event.ended) - started) / 1000));
    if (event.taken) facts.push(texts.taken);
    for (const ring of this._rings.get(event.id) ?? []) {
      facts.push(fill(texts.rang, { time: writing.time(new Date(ring.started)) }));
    }
    if (event.mark) facts.push(h("b", { className: "mark" }, event.mark));
    facts.push(...(this._showCamera ? [event.name] : []), ...event.zones.map(zoneName));
    return facts.flatMap((each, at) => (at ? [" · ", each] : [each]));
  }

  _detail(event, writing) {
    const { texts } = writing;
    const started = new Date(event.started);
    const alt = fill(texts.picture, {
      what: labelName(texts, event.label),
      camera: event.name,
      time: writing.time(started),
    });
    const more = [
      event.title ? labelName(texts, event.label) : null,
      event.ended && event.label !== "ring"
        ? `${writing.time(started)} – ${writing.time(new Date(event.ended))}`
        : null,
      event.peak > 1 ? fill(texts.at_once, { count: event.peak }) : null,
      event.loitering ? texts.lingered : null,
      event.interrupted ? texts.interrupted : null,
      ["llm", "ai_task"].includes(event.source) ? texts.by_model : null,
    ];
    return [
      ...event.pictures.map((_, at) => this._picture(event, alt, at)),
      event.text ? h("p", {}, event.text) : null,
      h("p", { className: "facts" }, more.filter(Boolean).join(" · ")),
    ];
  }

  _picture(event, alt, at) {
    const path = event.pictures[at];
    if (!path) return null;
    const failed = (raised) => {
      raised.target.remove(); // the icon behind it is seen
      this._events.pictureFailed();
    };
    return h("img", { loading: "lazy", decoding: "async", alt, onerror: failed, src: this._url(path) });
  }

  _url(path) {
    return this._options?.url?.(path) ?? path;
  }

  /** Say aloud what is new, but not what was there at first. */
  _speak() {
    const { texts } = this._writing;
    const newest = this._events.events[0];
    if (this._newest !== undefined && newest && newest.started > this._newest) {
      this._spoken.textContent = `${eventName(newest, texts)}, ${newest.name}`;
    }
    if (this._events.state === "ready") this._newest = newest?.started ?? "";
  }
}

function skeleton(texts) {
  const bone = (style) => h("span", { className: "bone", style });
  const row = () =>
    h(
      "div",
      { className: "row" },
      h("span", { className: "thumb bone" }),
      h(
        "span",
        { className: "words" },
        bone("width: 60%; height: 16px"),
        bone("width: 90%; height: 14px; margin: 8px 0"),
      ),
    );
  return h("div", {}, h("span", { className: "hidden", role: "status" }, texts.loading), row(), row(), row());
}

/** Put these children in place of the present ones, moving none that is where it belongs. */
function replace(element, children) {
  children.forEach((child, at) => {
    const present = element.childNodes[at];
    if (present !== child) element.insertBefore(child, present ?? null);
  });
  while (element.childNodes.length > children.length) element.lastChild.remove();
}

/** Pictures that are there already are not loaded again, whoever signed their addresses. */
function keepPictures(before, after) {
  const path = (image) => `${image.closest(".detail") ? "detail" : "row"} ${image.src.replace(/authSig=[^&]*/, "")}`;
  const there = new Map([...before.querySelectorAll("img")].map((image) => [path(image), image]));
  for (const image of after.querySelectorAll("img")) {
    const known = there.get(path(image));
    if (known) image.replaceWith(known);
  }
}
