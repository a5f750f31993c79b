// What both cards share: their life in a dashboard, their events, and what their editors ask for.

import { h, STYLE } from "./dom.js";
import { Events } from "./events.js";
import { EventList } from "./list.js";
import { frontendHass, labelName, textsOf, Writing, zoneName } from "./texts.js";

const LABELS = ["person", "vehicle", "animal", "package", "ring"];
const MINUTE_MS = 60_000;

/** A card: `setConfig`, then `hass` again and again, while it is in the page. */
export class EventsCard extends HTMLElement {
  /** Subclasses make their content in `build(root)`, which returns the element of the list, and update it in `refresh`. */
  constructor({ showCamera }) {
    super();
    this.attachShadow({ mode: "open" });
    this.shadowRoot.append(h("style", {}, STYLE));
    this.events = new Events({ changed: () => this._later(), still: (entityId) => this.still(entityId) });
    this._card = h("ha-card");
    this.shadowRoot.append(this._card);
    this.list = new EventList(this.build(this._card), this.events, { showCamera });
  }

  connectedCallback() {
    this._clock = setInterval(() => this._tick(), MINUTE_MS);
    this._follow();
  }

  disconnectedCallback() {
    clearInterval(this._clock);
    this.events.stop();
  }

  /** Check and take what the dashboard says of this card; raises Error for what it cannot mean. */
  setConfig(config) {
    if (!config) throw new Error("no configuration");
    for (const key of ["cameras", "labels", "zones"]) {
      const value = config[key] ?? [];
      if (!Array.isArray(value) || value.some((each) => typeof each !== "string")) {
        throw new Error(`${key}: a list of names is wanted`);
      }
    }
    this.config = config;
    this._follow();
  }

  set hass(hass) {
    const before = this._hass;
    this._hass = hass;
    if (before?.locale !== hass.locale || before?.language !== hass.language) this.writing = new Writing(hass);
    this._follow();
    this.changed(before);
  }

  get hass() {
    return this._hass;
  }

  /** What is asked of the component; see events.js. */
  wanted() {
    const { cameras = [], labels = [], zones = [] } = this.config;
    return { cameras, labels, zones };
  }

  /** How many events at once. */
  limit() {
    return 10;
  }

  /** A camera has a new picture. */
  still(_entityId) {}

  /** `hass` is another than before; most of these changes are nothing to us. */
  changed(before) {
    if (before?.locale !== this._hass.locale || before?.language !== this._hass.language) this._later();
  }

  _follow() {
    if (!this.isConnected || !this.config || !this._hass) return;
    this.events.follow(this._hass, this.wanted(), this.limit());
    this._later();
  }

  /** At midnight "Today" becomes "Yesterday". */
  _tick() {
    const today = this.writing?.dayKey(new Date());
    if (today !== this._today) this._later();
    this._today = today;
  }

  /** Show changes once, however many come together. */
  _later() {
    this._waits ??= Promise.resolve().then(() => {
      this._waits = null;
      if (this.isConnected && this.config && this._hass) this.refresh();
    });
  }
}

/** Labels and zones that there are, for the lists of an editor; those known beforehand while nobody answers. */
async function choices() {
  const hass = frontendHass();
  const texts = textsOf(hass?.language);
  const answer = await hass?.callWS({ type: "blikk/cameras" }).catch(() => null);
  const cameras = answer?.cameras ?? [];
  const labels = new Set([...LABELS, ...cameras.flatMap((camera) => camera.labels)]);
  return {
    labels: [...labels].map((value) => ({ value, label: labelName(texts, value) })),
    zones: [...new Set(cameras.flatMap((camera) => camera.zones))].map((value) => ({ value, label: zoneName(value) })),
  };
}

/** The fields of an editor, as Home Assistant's forms take them, with the words of its language. */
export async function editor(...own) {
  const { labels, zones } = await choices();
  const several = (options) => ({ select: { multiple: true, custom_value: true, options } });
  return {
    schema: [...own, { name: "labels", selector: several(labels) }, { name: "zones", selector: several(zones) }],
    computeLabel: ({ name }) => textsOf(frontendHass()?.language).editor[name],
  };
}

/** The field for cameras of ours. */
export const cameraField = (name, more = {}) => ({
  name,
  selector: { entity: { filter: [{ integration: "blikk", domain: "camera" }], ...more } },
});
