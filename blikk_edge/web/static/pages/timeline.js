// A day at a glance: a lane for each camera, the events below, filters, a calendar, and search.

import { get } from "../api.js";
import { Calendar } from "../calendar.js";
import { Chips, eventAddress, LABELS, noPictures, said, span, Thumb, title } from "../events.js";
import { useKeys } from "../keys.js";
import { Lanes, moved, within, zoomed } from "../lanes.js";
import { Check, useAnswer, Wrong } from "../parts.js";
import { store, useFeed, useStore } from "../store.js";
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { clock, date, day as dayOf, key, label, n, t } from "../words.js";

const PAGE = 40;
const SOON_MS = 600;
const TICK_MS = 20_000;
const MANY = 5;
const LANES = 40;

// ---- the day, and what happens while it is looked at

// An event or a ring with its times as numbers; `to` is null while it goes on.
function timed(item) {
  const from = Date.parse(item.started ?? item.time);
  return { ...item, from, to: item.label ? item.ended && Date.parse(item.ended) : from };
}

// All that happened, the newest first.
function ordered(data, items) {
  return { ...data, items: items.sort((a, b) => b.from - a.from) };
}

function merged(data, fresh) {
  const known = new Map(data.items.map((item) => [item.id, item]));
  for (const event of fresh) known.set(event.id, timed(event));
  return ordered(data, [...known.values()]);
}

function useDay(filter) {
  const [data, setData] = useState(null);
  const [round, setRound] = useState(0);
  const fresh = useRef(new Set());
  const timer = useRef(0);
  const shown = useRef(null);
  shown.current = data;
  const { camera, site } = filter;
  const query = asked(filter);
  const take = (found) => {
    const ahead = Date.parse(found.now) - Date.now();
    setData(ordered({ ...found, ahead }, [...found.events, ...found.rings, ...(found.observations ?? [])].map(timed)));
  };
  const [wrong, setWrong] = useAnswer("v1/timeline", query, take, round);
  const handle = useCallback((envelope) => {
    if (!shown.current?.today || !["event", "summary", "ring"].includes(envelope.kind)) return;
    if (camera && envelope.camera !== camera) return;
    if (site && !envelope.camera.startsWith(`${site}/`)) return;
    const id = envelope.kind === "event" ? envelope.content.id : envelope.content.event;
    fresh.current.add(id ?? "");
    clearTimeout(timer.current);
    timer.current = setTimeout(async () => {
      const ids = [...fresh.current];
      fresh.current.clear();
      if (ids.length > MANY || ids.includes("")) return setRound((count) => count + 1);
      try {
        const now = { ...query, day: shown.current.day };
        const found = await Promise.all(ids.map((event) => get("v1/timeline", { ...now, event })));
        setData(
          (before) =>
            before &&
            merged(
              before,
              found.flatMap((each) => each.events),
            ),
        );
      } catch (error) {
        setWrong(error);
      }
    }, SOON_MS);
  }, Object.values(query));
  useFeed(handle);
  const reload = () => setRound((count) => count + 1);
  const { connected } = useStore();
  const was = useRef(true);
  useEffect(() => {
    if (connected && !was.current) reload(); // what happened meanwhile nobody has said
    was.current = connected;
  }, [connected]);
  // what comes after the last that is there
  const older = async () => {
    try {
      const { events, rings, observations, more, older } = await get("v1/timeline", {
        ...query,
        day: data.day,
        until: data.older,
      });
      setData((before) => ({ ...merged(before, [...events, ...rings, ...observations]), more, older }));
    } catch (error) {
      setWrong(error);
    }
  };
  return { data, wrong, reload, older };
}

// The node's clock, now and then.
function useNow(data, reload) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const now = Date.now() + (data?.ahead ?? 0);
  const over = data?.today && now >= Date.parse(data.until);
  useEffect(() => {
    if (over) reload(); // another day has begun
  }, [over]);
  return now;
}

// ---- the list

function Row({ event, camera, zone, now, chosen, onFocus, by = null }) {
  return html`<li class=${`event-row ${event.label} ${chosen ? "chosen" : ""}`} data-event=${event.id}>
    <a href=${eventAddress(event.id)} onFocus=${onFocus}>
      <${Thumb} key=${event.picture} picture=${event.picture} />
      <span class="what">
        <strong>${title(event)}</strong>
        <span class="facts"><time datetime=${event.started}>${by ? `${date(event.started, zone)}, ${clock(event.started, zone)}` : span(event, zone, now)}</time>
          <br />${camera}${event.zones.length ? ` · ${event.zones.join(", ")}` : ""}</span>
        <span class="chips"><${Chips} event=${event} />${by && html`<span class="chip">${t(`search.by_${by}`)}</span>`}</span>
      </span>
    </a>
  </li>`;
}

// A ring, or what was observed.
function Ring({ ring, camera, zone }) {
  return html`<li class="event-row ring"><span class="row-inner">
    ${!ring.kind && html`<${Thumb} key=${ring.picture} picture=${ring.picture} />`}
    <span class="what"><strong>${ring.kind ? said(ring) : t("event.ring")}</strong>
      <span class="facts"><time datetime=${ring.time}>${clock(ring.time, zone)}</time>${` · ${camera}`}</span>
      ${ring.event && html`<a href=${eventAddress(ring.event)}>${t("title.event")}</a>`}
      ${ring.mark && html`<span class="chips"><span class="chip">“${ring.mark}”</span></span>`}</span></span></li>`;
}

function List({ items, names, zone, now, chosen, choose, count, more }) {
  const end = useRef(null);
  useEffect(() => {
    if (!end.current) return undefined;
    const watcher = new IntersectionObserver(([entry]) => entry.isIntersecting && more());
    watcher.observe(end.current);
    return () => watcher.disconnect();
  }, [items.length > count]);
  return html`<ol class="event-list">
      ${items.slice(0, count).map((item) =>
        item.label
          ? html`<${Row} key=${item.id} event=${item} camera=${names.get(item.camera) ?? item.camera} zone=${zone}
                now=${now} chosen=${item.id === chosen} onFocus=${() => choose(item.id)} />`
          : html`<${Ring} key=${item.id} ring=${item} camera=${names.get(item.camera) ?? item.camera} zone=${zone} />`,
      )}
    </ol>
    ${items.length > count && html`<p class="row" ref=${end}><button onClick=${more}>${t("timeline.more")}</button></p>`}`;
}

// ---- search

function Found({ q, day, camera, site, names, zone }) {
  const [found, setFound] = useState(null);
  const [wrong] = useAnswer("v1/search", { q, day, camera, site }, setFound);
  if (wrong) return html`<${Wrong} text=${wrong.message} />`;
  if (!found) return html`<p class="quiet" role="status">${t("timeline.searching")}</p>`;
  return html`<p class="quiet" role="status">${n("search.found", found.found.length)}
      ${!found.looks && html` · ${t("search.no_looks")}`}</p>
    ${!found.found.length && html`<p class="empty card pad">${t("search.none", { q })}</p>`}
    <ol class="event-list">${found.found.map(
      (event) => html`<${Row} key=${event.id} event=${event} zone=${zone} now=${Date.now()}
        camera=${names.get(event.camera) ?? event.camera} by=${event.by} />`,
    )}</ol>`;
}

function Search({ q, here, start, leave }) {
  const [words, setWords] = useState(q);
  const [onDay, setOnDay] = useState(here);
  useEffect(() => setWords(q), [q]);
  const send = (event) => {
    event.preventDefault();
    if (words.trim()) start(words.trim(), onDay);
    else leave();
  };
  return html`<form class="search" role="search" onSubmit=${send}>
    <input type="search" aria-label=${t("search.label")} placeholder=${t(store.node.sites ? "sites.hint" : "search.hint")} value=${words} maxlength="500"
      onInput=${(event) => setWords(event.target.value)} />
    <${Check} on=${onDay}
      set=${(on) => {
        setOnDay(on);
        if (q) start(q, on);
      }}>${t("search.on_day")}<//>
    <button type="submit">${t("search.label")}</button>
    ${q && html`<button type="button" onClick=${leave}>${t("search.leave")}</button>`}
  </form>`;
}

// ---- the page

function Filters({ node, filter, set }) {
  const cameras = node.cameras.filter((each) => !filter.site || each.id.startsWith(`${filter.site}/`));
  const zones = [
    ...new Set(
      cameras
        .filter((each) => !filter.camera || each.id === filter.camera)
        .flatMap((each) => each.zones.map((zone) => zone.id)),
    ),
  ];
  const choice = (what, all) =>
    html`<select aria-label=${t(`timeline.${what}`)}
      onChange=${(event) => set({ [what]: event.target.value, ...(what === "site" && { camera: "" }) })}>
      <option value="">${t(`timeline.all_${what}s`)}</option>
      ${all.map(([id, name]) => html`<option key=${id} value=${id} selected=${id === filter[what]}>${name}</option>`)}
    </select>`;
  const clockOf = (what) =>
    html`<label>${t(`timeline.${what}`)}
      <input type="time" value=${filter[what]} onChange=${(event) => set({ [what]: event.target.value })} /></label>`;
  return html`<div class="filters" role="group" aria-label=${t("timeline.filters")}>
    ${
      node.sites?.length > 1 &&
      choice(
        "site",
        node.sites.map((site) => [site, site]),
      )
    }
    ${
      cameras.length > 1 &&
      choice(
        "camera",
        cameras.map(({ id, name }) => [id, name]),
      )
    }
    ${
      node.sites &&
      choice(
        "kind",
        KINDS.map((kind) => [kind, t(`timeline.kind_${kind}`)]),
      )
    }
    ${node.sites && html`<span class="clocks">${["from", "to"].map(clockOf)}</span>`}
    ${
      zones.length > 0 &&
      choice(
        "zone",
        zones.map((zone) => [zone, zone]),
      )
    }
    ${LABELS.map(
      (name) => html`<button key=${name} aria-pressed=${filter.label === name}
        onClick=${() => set({ label: filter.label === name ? "" : name })}>${label(name)}</button>`,
    )}
  </div>`;
}

function Count({ data, items, kind }) {
  const events = items.filter((item) => item.label).length;
  return html`<p class="quiet count" role="status">${
    events || !kind || kind === "event"
      ? n("timeline.events", events)
      : `${t(`timeline.kind_${kind}`)}: ${items.length}`
  }${data.more && html` · ${t("timeline.too_many", { count: data.items.length })}`}</p>`;
}

function Empty({ data, node, filter, set }) {
  const filtered = NARROWING.some((name) => filter[name]);
  const none = Object.fromEntries(NARROWING.map((name) => [name, ""]));
  return html`<div class="empty card pad">
    <p>${filtered ? t("timeline.none_filtered") : data.today ? t("timeline.none_today") : t("timeline.none")}</p>
    ${filtered && html`<button onClick=${() => set(none)}>${t("timeline.unfilter")}</button>`}
    ${!filtered && data.before && html`<button onClick=${() => set({ day: data.before })}>${t("timeline.last_day")}</button>`}
    ${!node.pictures && html`<p class="note">${noPictures()}</p>`}
  </div>`;
}

const KINDS = ["event", "ring", "observation"];
const NARROWING = ["site", "camera", "label", "zone", "kind", "from", "to"];
const NAMES = ["day", "q", ...NARROWING];
const asked = ({ q, ...query }) => query;

const siteOf = (id) => id.slice(0, id.indexOf("/"));

// The lanes of a day and what is in them: a node's cameras; of several sites one each; of one its cameras that saw something.
function lanesOf(node, filter, data) {
  const cameras = node.cameras.filter((each) => !filter.camera || each.id === filter.camera);
  if (!node.sites) return [cameras, data];
  if (node.sites.length > 1 && !filter.site && !filter.camera) {
    const lanes = node.sites.map((site) => ({ id: site, name: site, href: `#/timeline?site=${site}&day=${data.day}` }));
    return [lanes, { ...data, items: data.items.map((item) => ({ ...item, camera: siteOf(item.camera) })) }];
  }
  const seen = new Set(data.items.map((item) => item.camera));
  return [cameras.filter((each) => seen.has(each.id)).slice(0, LANES), data];
}

function useFilter(query) {
  const read = () => Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  const [filter, setFilter] = useState(read);
  useEffect(() => setFilter(read()), [query.toString()]);
  const set = (values) =>
    setFilter((before) => {
      const after = { ...before, ...values };
      const given = new URLSearchParams(Object.entries(after).filter(([, value]) => value));
      history.replaceState(null, "", `#/timeline${given.size ? `?${given}` : ""}`);
      return after;
    });
  return [filter, set];
}

export function Page({ query }) {
  const { node } = useStore();
  const [filter, set] = useFilter(query);
  const { data, wrong, reload, older } = useDay(filter);
  const now = useNow(data, reload);
  const [view, setView] = useState(null);
  const [chosen, setChosen] = useState(null);
  const [count, setCount] = useState(PAGE);
  const [calendar, setCalendar] = useState(false);
  const zone = node.timezone;
  const names = new Map(node.cameras.map((each) => [each.id, each.name]));
  const day = useMemo(
    () =>
      data && {
        since: Date.parse(data.since),
        until: Date.parse(data.until),
        today: data.today,
        hours: data.hours.map(({ time, hour }) => ({ time: Date.parse(time), hour })),
      },
    [data],
  );
  useEffect(() => {
    setView(null);
    setChosen(null);
    setCount(PAGE);
  }, [data?.day]);
  const shown = day && within(view ?? day, day);
  const items = useMemo(
    () => data?.items.filter((item) => (item.to ?? now) >= shown.since && item.from <= shown.until) ?? [],
    [data, shown?.since, shown?.until],
  );

  const [lanes, laid] = useMemo(() => (data ? lanesOf(node, filter, data) : []), [node, filter, data]);

  const choose = (id) => {
    const at = items.findIndex((item) => item.id === id);
    setChosen(id);
    if (at >= count) setCount(at + PAGE);
    requestAnimationFrame(() => {
      const row = [...document.querySelectorAll(".event-row")].find((each) => each.dataset.event === id);
      row?.querySelector("a").focus({ preventScroll: true });
      row?.scrollIntoView({ block: "nearest" });
    });
  };
  const step = (by) => {
    const events = items.filter((item) => item.label);
    if (!events.length) return;
    const at = events.findIndex((event) => event.id === chosen);
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), events.length - 1);
    choose(events[next].id);
  };
  const change = (values) => {
    if ("day" in values) setCalendar(false);
    set(values);
  };
  // about what is chosen, else about now, where they are in sight
  const zoom = (factor) =>
    day &&
    setView((before) => {
      const view = within(before ?? day, day);
      const at = data.items.find((item) => item.id === chosen)?.from ?? (day.today ? now : null);
      return zoomed(view, day, factor, at >= view.since && at <= view.until ? at : undefined);
    });
  useKeys({
    ArrowLeft: () => step(1),
    ArrowRight: () => step(-1),
    ArrowUp: () => step(-1),
    ArrowDown: () => step(1),
    ShiftArrowLeft: () => data && change({ day: shift(data.day, -1) }),
    ShiftArrowRight: () => data && !data.today && change({ day: shift(data.day, 1) }),
    "+": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => setView(null),
    ",": () => day && setView(moved(shown, day, (shown.since - shown.until) / 4)),
    ".": () => day && setView(moved(shown, day, (shown.until - shown.since) / 4)),
    t: () => change({ day: "" }),
    c: () => setCalendar((open) => !open),
    Escape: () => (calendar ? setCalendar(false) : filter.q ? change({ q: "" }) : setView(null)),
  });

  if (wrong && !data) return html`<${Wrong} text=${wrong.message} />`;
  if (!data) return html`<p class="quiet" role="status">${t("timeline.loading")}</p>`;
  const more = () => setCount((before) => before + PAGE);
  return html`<div class="heading timeline-heading">
      <button aria-label=${t("timeline.day_before")} title=${key("Shift ←")}
        onClick=${() => change({ day: shift(data.day, -1) })}>‹</button>
      <h1>${dayOf(`${data.day}T12:00:00Z`, "UTC")}</h1>
      <button aria-label=${t("timeline.day_after")} title=${key("Shift →")} disabled=${data.today}
        onClick=${() => change({ day: shift(data.day, 1) })}>›</button>
      <button aria-expanded=${calendar} onClick=${() => setCalendar(!calendar)}
        title=${key("c")}>${t("timeline.calendar")}</button>
      ${!data.today && html`<button onClick=${() => change({ day: "" })}>${t("timeline.today")}</button>`}
      ${data.today && html`<span class="chip">${t("timeline.live")}</span>`}
      <span class="spacer"></span>
      <${Search} q=${filter.q} here=${Boolean(filter.q && filter.day)} leave=${() => change({ q: "" })}
        start=${(q, onDay) => change({ q, day: onDay ? data.day : "" })} />
    </div>
    ${calendar && html`<${Calendar} day=${data.day} camera=${filter.camera} site=${filter.site} choose=${(to) => change({ day: to, q: "" })} />`}
    <${Wrong} text=${wrong?.message} />
    ${
      filter.q
        ? html`<${Found} key=${`${filter.q}|${filter.day}`} q=${filter.q} day=${filter.day} camera=${filter.camera} site=${filter.site} names=${names} zone=${zone} />`
        : html`<${Filters} node=${node} filter=${filter} set=${change} />
        <${Lanes} cameras=${lanes} data=${laid} day=${day} view=${shown} setView=${setView} zoom=${zoom} now=${now} zone=${zone}
          chosen=${chosen} choose=${choose} />
        <${Count} data=${data} items=${items} kind=${filter.kind} />
        ${
          items.length
            ? html`<${List} items=${items} names=${names} zone=${zone} now=${now} chosen=${chosen} choose=${setChosen}
                count=${count} more=${more} />`
            : html`<${Empty} data=${data} node=${node} filter=${filter} set=${change} />`
        }
        ${node.sites && data.more && html`<p class="row"><button onClick=${older}>${t("timeline.older")}</button></p>`}`
    }`;
}

function shift(day, by) {
  const date = new Date(`${day}T12:00:00Z`);
  date.setUTCDate(date.getUTCDate() + by);
  return date.toISOString().slice(0, 10);
}
