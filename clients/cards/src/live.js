// The live picture of a camera with what was found in it, over Home Assistant's own connection. It is asked for only while
// it can be seen, and each frame is acknowledged, so that a slow connection gets fewer.

import { h } from "./dom.js";
import { labelName } from "./texts.js";

const LATE_MS = 15_000; // the component reports what is late from the node; this is for what is late from Home Assistant
const RETRIES_MS = [1_000, 2_000, 5_000, 15_000];
const COLOURS = { person: "#ffb020", vehicle: "#4db2ff", animal: "#5bd68f", package: "#d68cff" };
const OTHER = "#2dd4bf";
const DARK = "#101418";

/** `trouble` says why `shown` is false: a word of live.py, or null while nothing is asked for. */
export class LivePicture {
  constructor({ changed }) {
    this.element = h("canvas", { className: "live", hidden: true });
    this.shown = false;
    this.trouble = null;
    this.texts = null;
    this._changed = changed;
    this._hass = null;
    this._entity = null;
    this._boxes = true;
    this._inView = false;
    this._live = null;
    this._tries = 0;
    this._watcher = new IntersectionObserver((entries) => {
      this._inView = entries.at(-1).isIntersecting;
      this._look();
    });
    this._visibility = () => this._look();
    this._ready = () => this._again(0);
    this._lost = () => this._end("unreachable");
  }

  /** Show this camera whenever `place`, an element, can be seen; a null entity shows none. */
  follow(hass, entity, place, boxes) {
    this._boxes = boxes;
    if (this._hass?.connection === hass.connection && this._entity === entity && this._place === place) return;
    this.stop();
    this._hass = hass;
    this._entity = entity;
    this._place = place;
    if (!entity) return;
    this._watcher.observe(place);
    document.addEventListener("visibilitychange", this._visibility);
    hass.connection.addEventListener("ready", this._ready);
    hass.connection.addEventListener("disconnected", this._lost);
  }

  /** Ask for nothing more. */
  stop() {
    this._watcher.disconnect();
    document.removeEventListener("visibilitychange", this._visibility);
    this._hass?.connection.removeEventListener("ready", this._ready);
    this._hass?.connection.removeEventListener("disconnected", this._lost);
    this._inView = false;
    this._end(null);
    this._hass = null;
    this._entity = null;
  }

  _look() {
    const wanted = this._inView && !document.hidden;
    if (wanted && !this._live) this._begin();
    if (!wanted && this._live) this._end(null);
  }

  _again(pause_ms) {
    clearTimeout(this._timer);
    this._end(this.trouble);
    this._timer = setTimeout(() => this._look(), pause_ms);
  }

  async _begin() {
    clearTimeout(this._timer);
    const live = Symbol("live view");
    this._live = live;
    const connection = this._hass.connection;
    const hear = async (message) => {
      if (this._live === live) await this._hear(message, live);
      if (this._live !== live) return;
      // a connection that is gone takes no more
      const { subscription } = message;
      connection.sendMessagePromise({ type: "blikk/live/taken", subscription }).catch(() => {});
    };
    try {
      const subscription = { type: "blikk/live", entity_id: this._entity };
      const unsubscribe = await connection.subscribeMessage(hear, subscription, { resubscribe: false });
      if (this._live === live) this._unsubscribe = unsubscribe;
      else unsubscribe().catch(() => {});
    } catch (error) {
      if (this._live !== live) return;
      this.trouble = error?.code ?? "unreachable";
      this._retry();
    }
  }

  _retry() {
    const pause_ms = RETRIES_MS[Math.min(this._tries, RETRIES_MS.length - 1)];
    this._tries += 1;
    this._again(pause_ms);
  }

  _end(trouble) {
    clearTimeout(this._timer);
    clearTimeout(this._late);
    this._live = null;
    Promise.resolve(this._unsubscribe?.()).catch(() => {});
    this._unsubscribe = null;
    this._show(false, trouble);
  }

  async _hear({ jpeg, tracks, trouble }, live) {
    clearTimeout(this._late);
    this._late = setTimeout(() => this._show(false, "late"), LATE_MS);
    if (!jpeg) {
      this._show(false, trouble);
      if (trouble === "ended") this._retry();
      return;
    }
    const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })).catch(() => null);
    if (bitmap && this._live === live) {
      this._draw(bitmap, this._boxes ? tracks : []);
      this._tries = 0;
      this._show(true, null);
    }
    bitmap?.close();
  }

  _show(shown, trouble) {
    const same = this.shown === shown && this.trouble === trouble;
    this.shown = shown;
    this.trouble = trouble;
    this.element.hidden = !shown;
    if (!same) this._changed();
  }

  _draw(bitmap, tracks) {
    const { width, height } = bitmap;
    if (this.element.width !== width) this.element.width = width;
    if (this.element.height !== height) this.element.height = height;
    this.element.dataset.tracks = tracks.length;
    const context = this.element.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    // the picture is shown smaller or larger: a word is as large as the card's other words
    const scale = width / (this._place.clientWidth || width);
    for (const { label, score, box } of tracks) {
      const [x1, y1, x2, y2] = box.map((side, at) => side * (at % 2 ? height : width));
      const colour = COLOURS[label] ?? OTHER;
      context.lineWidth = 2 * scale;
      context.strokeStyle = colour;
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
      const name = labelName(this.texts, label);
      tag(context, score === null ? name : `${name} ${Math.round(score * 100)} %`, x1, y1, colour, scale);
    }
  }
}

/** Words on a colour, above a box or within it. */
function tag(context, words, x, y, colour, scale) {
  context.font = `600 ${12 * scale}px system-ui, sans-serif`;
  const high = 19 * scale;
  const wide = context.measureText(words).width + 10 * scale;
  const left = Math.max(0, Math.min(x, context.canvas.width - wide));
  const top = Math.max(0, y - high);
  context.fillStyle = colour;
  context.fillRect(left, top, wide, high);
  context.fillStyle = DARK;
  context.fillText(words, left + 5 * scale, top + 13.5 * scale);
}
