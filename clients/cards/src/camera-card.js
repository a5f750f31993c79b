// The camera card: the live picture of a camera, else the newest one, and what happened there last.

import { cameraField, EventsCard, editor } from "./card.js";
import { h, icon } from "./dom.js";
import { LivePicture } from "./live.js";
import { fill, textsOf } from "./texts.js";

const EVENTS = 3;
const EVENTS_MAX = 20;

const STYLE = `
.still { position: relative; display: block; flex: none; width: 100%; padding: 0; border: 0; background: var(--secondary-background-color);
  color: var(--secondary-text-color); overflow: hidden; }
.still:focus-visible { outline-offset: -3px; }
.still img, .still canvas { display: block; width: 100%; height: auto; }
.still[data-away] img { filter: grayscale(1); opacity: 0.5; }
.blank { display: grid; place-items: center; align-content: center; gap: 8px; aspect-ratio: 16 / 9; --mdc-icon-size: 48px; }
.bar { position: absolute; inset: auto 0 0 0; display: flex; justify-content: space-between; gap: 12px; padding: 24px 16px 10px;
  font-size: var(--ha-font-size-l, 16px); line-height: 1.4; text-align: start; color: #fff;
  background: linear-gradient(transparent, rgb(0 0 0 / 65%)); }
.badge { position: absolute; top: 10px; inset-inline-start: 12px; padding: 1px 8px; border-radius: 10px; color: #fff;
  background: rgb(0 0 0 / 65%); font-size: var(--ha-font-size-s, 12px); line-height: 1.5; }
.badge::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-inline-end: 6px; border-radius: 50%;
  background: #ff5d73; }
.more { display: flex; align-items: center; gap: 8px; margin: 0 8px 8px; padding: 10px 8px; color: var(--primary-color);
  text-decoration: none; font-size: var(--ha-font-size-m, 14px); --mdc-icon-size: 20px; }
.body { padding-top: 4px; }
.body:empty { display: none; }
`;

export class CameraCard extends EventsCard {
  static getConfigForm() {
    return editor(
      { ...cameraField("entity"), required: true },
      { name: "title", selector: { text: {} } },
      { name: "events", selector: { number: { min: 0, max: EVENTS_MAX, mode: "box" } } },
      { name: "hide_live", selector: { boolean: {} } },
      { name: "hide_boxes", selector: { boolean: {} } },
    );
  }

  static getStubConfig(hass) {
    const ours = Object.values(hass.entities).filter((entity) => entity.platform === "blikk");
    return { entity: ours.find((entity) => entity.entity_id.startsWith("camera."))?.entity_id ?? "", events: EVENTS };
  }

  constructor() {
    super({ showCamera: false });
    this._stills = 0;
    this._placed = null;
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
    this._live = new LivePicture({ changed: () => this._later() });
    this._badge = h("span", { className: "badge", hidden: true });
    const shown = [this._picture, this._live.element, this._blank, this._badge, bar];
    this._open = h("button", { className: "still", type: "button", onclick: open }, shown);
    this._body = h("div", { className: "body" });
    this._more = h("a", { className: "more", hidden: true });
    card.append(this._open, this._body, this._more);
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

  disconnectedCallback() {
    super.disconnectedCallback();
    this._live.stop();
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
    const away = state?.state === "unavailable";
    this._followLive(away, texts);
    this._showStill(state, away, texts);
    this._showMore(texts);
    this._body.hidden = events === 0 && Boolean(state);
    this.list.show(this.writing, {
      message: state ? null : fill(texts.no_camera, { camera: entity || "?" }),
      url: (each) => this.hass.hassUrl(each),
      most: this._most(),
    });
  }

  _showStill(state, away, texts) {
    const path = state?.attributes.entity_picture;
    const blind = !away && this._live.trouble === "blind";
    this._nothing = away ? texts.unavailable : blind ? texts.live_blind : texts.no_picture;
    // while a live picture cannot be made, an old one is not shown in its place
    this._placed = this._live.shown ? "live" : blind ? "blank" : null;
    this._show(path && !away && !this._placed ? `${this.hass.hassUrl(path)}&still=${this._stills}` : null);
    this._open.toggleAttribute("data-away", away);
    this._showState(away, texts);
  }

  _showState(away, texts) {
    const ongoing = !away && this.events.events.some((event) => !event.ended);
    const trouble = this._placed === null ? texts[`live_${this._live.trouble}`] : "";
    this._state.className = ongoing ? "now" : "";
    this._state.textContent = ongoing ? texts.going_on : (trouble ?? "");
    // where there is no picture, its place says so already
    if (away) this._state.textContent = this._picture.hidden ? "" : texts.unavailable;
  }

  /** The live picture, where the camera has one that is wanted; what is not there stays as it was without one. */
  _followLive(away, texts) {
    const { entity, hide_live: hidden, hide_boxes: bare } = this.config;
    const camera = this.events.cameras?.find((each) => each.entity_id === entity);
    this._live.texts = texts;
    this._live.follow(this.hass, camera?.live && !hidden && !away ? entity : null, this._open, !bare);
    this._badge.textContent = texts.live;
    this._badge.hidden = !this._live.shown;
  }

  /** A link to the timeline of the node's own pages, where this browser can open them. */
  _showMore(texts) {
    const page = this.events.cameras?.find((each) => each.entity_id === this.config.entity)?.page ?? null;
    const inside = page?.startsWith("/"); // of the app, whose page only administrators have in their sidebar
    this._more.hidden = page === null || Boolean(inside && !this.hass.user?.is_admin);
    if (this._more.hidden || this._more.getAttribute("href") === page) return;
    Object.assign(this._more, { href: page, target: inside ? "" : "_blank", rel: "noreferrer" });
    this._more.onclick = (click) => {
      if (!inside) return;
      click.preventDefault();
      history.pushState(null, "", page);
      window.dispatchEvent(new CustomEvent("location-changed", { detail: { replace: false } }));
    };
    this._more.replaceChildren(icon("mdi:timeline-clock"), texts.more);
  }

  /** Load a picture in place of the present one, which stays while it loads; with null it stays too. */
  _show(url) {
    if (url !== null && url !== this._picture.src && url !== this._url) {
      this._url = url;
      this._picture.alt = this._name.textContent;
      this._picture.src = url;
    }
    this._shown(Boolean(this._loaded));
  }

  /** Of still, live picture and blank one is seen. */
  _shown(loaded) {
    this._loaded = loaded;
    this._picture.hidden = this._placed !== null || !loaded;
    this._blank.hidden = this._placed === "live" || (this._placed === null && loaded);
    if (!this._blank.hidden) this._blank.replaceChildren(icon("mdi:cctv"), this._nothing ?? "");
  }
}
