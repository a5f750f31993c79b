// The camera card: the newest picture of a camera, and what happened there last.

import { cameraField, EventsCard, editor } from "./card.js";
import { h, icon } from "./dom.js";
import { fill, textsOf } from "./texts.js";

const EVENTS = 3;
const EVENTS_MAX = 20;

const STYLE = `
.still { position: relative; display: block; flex: none; width: 100%; padding: 0; border: 0; background: var(--secondary-background-color);
  color: var(--secondary-text-color); overflow: hidden; }
.still:focus-visible { outline-offset: -3px; }
.still img { display: block; width: 100%; height: auto; }
.still[data-away] img { filter: grayscale(1); opacity: 0.5; }
.blank { display: grid; place-items: center; align-content: center; gap: 8px; aspect-ratio: 16 / 9; --mdc-icon-size: 48px; }
.bar { position: absolute; inset: auto 0 0 0; display: flex; justify-content: space-between; gap: 12px; padding: 24px 16px 10px;
  font-size: var(--ha-font-size-l, 16px); line-height: 1.4; text-align: start; color: #fff;
  background: linear-gradient(transparent, rgb(0 0 0 / 65%)); }
.body { padding-top: 4px; }
.body:empty { display: none; }
`;

export class CameraCard extends EventsCard {
  static getConfigForm() {
    return editor(
      { ...cameraField("entity"), required: true },
      { name: "title", selector: { text: {} } },
      { name: "events", selector: { number: { min: 0, max: EVENTS_MAX, mode: "box" } } },
    );
  }

  static getStubConfig(hass) {
    const ours = Object.values(hass.entities).filter((entity) => entity.platform === "blikk");
    return { entity: ours.find((entity) => entity.entity_id.startsWith("camera."))?.entity_id ?? "", events: EVENTS };
  }

  constructor() {
    super({ showCamera: false });
    this._stills = 0;
    this.shadowRoot.append(h("style", {}, STYLE));
  }

  build(card) {
    const open = () =>
      this.dispatchEvent(
        new CustomEvent("hass-more-info", { bubbles: true, composed: true, detail: { entityId: this.config.entity } }),
      );
    this._name = h("span");
    this._state = h("span");
    this._blank = h("span", { className: "blank" });
    this._picture = h("img", { hidden: true, onload: () => this._shown(true), onerror: () => this._shown(false) });
    const bar = h("span", { className: "bar" }, this._name, this._state);
    this._open = h("button", { className: "still", type: "button", onclick: open }, this._picture, this._blank, bar);
    this._body = h("div", { className: "body" });
    card.append(this._open, this._body);
    return this._body;
  }

  setConfig(config) {
    const texts = textsOf(this._hass?.language);
    const { entity, events = EVENTS } = config ?? {};
    if (entity && (typeof entity !== "string" || !entity.startsWith("camera."))) {
      throw new Error(fill(texts.no_camera, { camera: entity }));
    }
    if (!Number.isInteger(events) || events < 0 || events > EVENTS_MAX) {
      throw new Error(`events: a whole number from 0 to ${EVENTS_MAX} is wanted`);
    }
    super.setConfig(config);
  }

  getCardSize() {
    return 4 + this._most();
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, min_rows: 3 };
  }

  /** Twice as many as are shown: presses of the doorbell go into the row of their visit. */
  limit() {
    return 2 * this._most();
  }

  _most() {
    return Math.max(1, this.config.events ?? EVENTS);
  }

  wanted() {
    return { ...super.wanted(), cameras: [this.config.entity] };
  }

  still(entityId) {
    if (entityId !== this.config.entity) return;
    this._stills += 1;
    this._later();
  }

  changed(before) {
    super.changed(before);
    const { entity } = this.config ?? {};
    if (entity && before?.states[entity] !== this._hass.states[entity]) this._later();
  }

  refresh() {
    const { texts } = this.writing;
    const { entity, events = EVENTS } = this.config;
    const state = this.hass.states[entity];
    this._name.textContent = this.config.title ?? state?.attributes.friendly_name ?? entity ?? texts.camera;
    this._open.setAttribute("aria-label", fill(texts.open_camera, { camera: this._name.textContent }));
    this._showStill(state, state?.state === "unavailable", texts);
    this._body.hidden = events === 0 && Boolean(state);
    this.list.show(this.writing, {
      message: state ? null : fill(texts.no_camera, { camera: entity || "?" }),
      url: (each) => this.hass.hassUrl(each),
      most: this._most(),
    });
  }

  _showStill(state, away, texts) {
    const path = state?.attributes.entity_picture;
    this._nothing = away ? texts.unavailable : texts.no_picture;
    this._show(path && !away ? `${this.hass.hassUrl(path)}&still=${this._stills}` : null);
    const ongoing = !away && this.events.events.some((event) => !event.ended);
    this._open.toggleAttribute("data-away", away);
    this._state.className = ongoing ? "now" : "";
    this._state.textContent = ongoing ? texts.going_on : "";
    // where there is no picture, its place says so already
    if (away && !this._picture.hidden) this._state.textContent = texts.unavailable;
  }

  /** Load a picture in place of the present one, which stays while it loads; with null it stays too. */
  _show(url) {
    if (url !== null && url !== this._picture.src && url !== this._url) {
      this._url = url;
      this._picture.alt = this._name.textContent;
      this._picture.src = url;
    }
    if (this._picture.hidden) this._shown(false);
  }

  _shown(loaded) {
    this._picture.hidden = !loaded;
    this._blank.hidden = loaded;
    if (!loaded) this._blank.replaceChildren(icon("mdi:cctv"), this._nothing ?? "");
  }
}
