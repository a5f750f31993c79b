// The timeline card: what happened, newest first, with filters by label, camera and zone.

import { cameraField, EventsCard, editor } from "./card.js";
import { h, icon } from "./dom.js";
import { labelIcon } from "./list.js";
import { fill, labelName, zoneName } from "./texts.js";

const LIMIT = 10;
const LIMIT_MAX = 50;

export class TimelineCard extends EventsCard {
  static getConfigForm() {
    return editor(
      { name: "title", selector: { text: {} } },
      cameraField("cameras", { multiple: true }),
      { name: "limit", selector: { number: { min: 1, max: LIMIT_MAX, mode: "box" } } },
      { name: "hide_filters", selector: { boolean: {} } },
    );
  }

  static getStubConfig() {
    return { limit: LIMIT };
  }

  constructor() {
    super({ showCamera: true });
    this._chosen = { label: null, camera: null, zone: null };
    this._address = () => this._openAddressed();
  }

  build(card) {
    this._title = h("h2");
    this._filters = h("div", { className: "filters" });
    this._header = h("header", {}, this._title, this._filters);
    const body = h("div", { className: "body" });
    card.append(this._header, body);
    return body;
  }

  connectedCallback() {
    super.connectedCallback();
    for (const moved of ["location-changed", "popstate"]) window.addEventListener(moved, this._address);
    this._openAddressed();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const moved of ["location-changed", "popstate"]) window.removeEventListener(moved, this._address);
  }

  setConfig(config) {
    const { limit = LIMIT } = config ?? {};
    if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
      throw new Error(`limit: a whole number from 1 to ${LIMIT_MAX} is wanted`);
    }
    super.setConfig(config);
  }

  getCardSize() {
    return 2 + this.limit();
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, min_rows: 4 };
  }

  limit() {
    return this.config.limit ?? LIMIT;
  }

  /** What the card is set to, narrowed by what was chosen in its filters. */
  wanted() {
    const set = super.wanted();
    const { label, camera, zone } = this._chosen;
    return {
      cameras: camera ? [camera] : set.cameras,
      labels: label ? [label] : set.labels,
      zones: zone ? [zone] : set.zones,
    };
  }

  refresh() {
    const { texts } = this.writing;
    this._title.textContent = this.config.title ?? texts.title;
    this._title.hidden = this.config.title === "";
    this._showFilters(texts);
    this._header.hidden = this._title.hidden && !this._filters.childElementCount;
    this.list.show(this.writing, {
      filtered: Object.values(this._chosen).some(Boolean),
      clear: () => this._choose({ label: null, camera: null, zone: null }),
      message: this._message(texts),
      url: (path) => this.hass.hassUrl(path),
    });
  }

  _message(texts) {
    if (this._gone) return texts.gone;
    const { cameras } = this.events;
    if (cameras === null || this._chosen.camera) return null;
    const unknown = (this.config.cameras ?? []).find((id) => !cameras.some((each) => each.entity_id === id));
    return unknown ? fill(texts.no_camera, { camera: unknown }) : null;
  }

  _choose(chosen) {
    this._chosen = { ...this._chosen, ...chosen };
    this._gone = false;
    this._follow();
  }

  /** The filters for what there is, made anew only where that is something else than before. */
  _showFilters(texts) {
    // a filter by camera narrows what is shown of them: the others stay to be chosen
    if (this.events.cameras && !this._chosen.camera) this._cameras = this.events.cameras;
    const cameras = this.config.hide_filters ? [] : (this._cameras ?? []);
    const pick = (key) => [
      ...new Set(cameras.flatMap((each) => each[key]).filter((each) => (this.config[key] ?? [each]).includes(each))),
    ];
    const labels = pick("labels");
    const zones = pick("zones");
    const state = JSON.stringify([
      cameras.map(({ entity_id, name }) => [entity_id, name]),
      labels,
      zones,
      this._chosen,
    ]);
    if (state === this._filtersState && this._filtersTexts === texts) return;
    this._filtersState = state;
    this._filtersTexts = texts;
    const focused = this.shadowRoot.activeElement?.dataset.filter;
    const parts = [];
    if (labels.length > 1) {
      const chips = labels.map((label) => this._chip(label, texts));
      parts.push(h("div", { className: "filters", role: "group", "aria-label": texts.what }, chips));
    }
    if (cameras.length > 1) {
      const options = cameras.map((each) => [each.entity_id, each.name]);
      parts.push(this._select("camera", texts.camera, texts.all_cameras, options));
    }
    if (zones.length > 1) {
      const options = zones.map((zone) => [zone, zoneName(zone)]);
      parts.push(this._select("zone", texts.zone, texts.all_zones, options));
    }
    this._filters.replaceChildren(...parts);
    if (focused) this._filters.querySelector(`[data-filter="${CSS.escape(focused)}"]`)?.focus();
  }

  _chip(label, texts) {
    const pressed = this._chosen.label === label;
    const name = labelName(texts, label);
    const onclick = () => this._choose({ label: pressed ? null : label });
    return h(
      "button",
      {
        className: "chip",
        type: "button",
        title: name,
        "aria-pressed": String(pressed),
        "data-filter": label,
        onclick,
      },
      icon(labelIcon(label)),
      h("span", {}, name),
    );
  }

  _select(what, name, all, options) {
    const onchange = (changed) => this._choose({ [what]: changed.target.value || null });
    const select = h(
      "select",
      { "aria-label": name, "data-filter": what, onchange },
      [["", all], ...options].map(([value, text]) => h("option", { value }, text)),
    );
    select.value = this._chosen[what] ?? "";
    return select;
  }

  /** Open the event that the page's address names: `?blikk_event=...&blikk_time=...`. */
  async _openAddressed() {
    const query = new URLSearchParams(window.location.search);
    const id = query.get("blikk_event");
    if (!id || !this.isConnected || !this._hass || !this.config || id === this._addressed) return;
    this._addressed = id;
    this._chosen = { label: null, camera: null, zone: null };
    this._follow();
    const found = await this.events.openAt(id, query.get("blikk_time"));
    if (!this.isConnected) return;
    this._gone = !found && Boolean(this.config.page);
    this.refresh();
    if (found) this.list.open(id);
  }

  changed(before) {
    super.changed(before);
    if (!before) this._openAddressed();
  }
}
