// What the cards say, in the languages of `texts.*.js`, and how they write times, as Home Assistant is set to write them.

import de from "./texts.de.js";
import en from "./texts.en.js";
import es from "./texts.es.js";
import fr from "./texts.fr.js";
import it from "./texts.it.js";
import nl from "./texts.nl.js";

const TEXTS = { de, en, es, fr, it, nl };

/** The frontend's `hass`, for what is asked for where it hands over none: the card picker and editors. */
export const frontendHass = () => document.querySelector("home-assistant")?.hass;

/** What the cards say in a language like `de` or `de-AT`; English where there is no other. */
export function textsOf(language) {
  return TEXTS[String(language ?? navigator.language).split("-")[0]] ?? TEXTS.en;
}

/** A text with its `{names}` filled in. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** What a label is called; one that is new to this card keeps its own word. */
export function labelName(texts, label) {
  return texts[label] ?? label.charAt(0).toUpperCase() + label.slice(1);
}

/** A zone as its entities are called: with a capital. */
export const zoneName = (zone) => `${zone.slice(0, 1).toUpperCase()}${zone.slice(1)}`;

/** Writers of times and durations, as the user has set her language, clock and time zone. */
export class Writing {
  constructor(hass) {
    const { language = hass.language, time_format: clock, time_zone: zone } = hass.locale ?? {};
    this.language = language;
    this.texts = textsOf(hass.language);
    const own = zone === "server" ? { timeZone: hass.config.time_zone } : {};
    const cycle = { 12: "h12", 24: "h23" }[clock];
    const locale = clock === "system" ? undefined : language;
    this._time = new Intl.DateTimeFormat(locale, {
      ...own,
      hour: "numeric",
      minute: "2-digit",
      ...(cycle && { hourCycle: cycle }),
    });
    this._day = new Intl.DateTimeFormat(language, { ...own, weekday: "long", day: "numeric", month: "long" });
    this._key = new Intl.DateTimeFormat("en-CA", { ...own, year: "numeric", month: "2-digit", day: "2-digit" });
    this._near = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  }

  /** Like 14:05. */
  time(date) {
    return this._time.format(date);
  }

  /** The local day as a key that can be compared. */
  dayKey(date) {
    return this._key.format(date);
  }

  /** "Today", "Yesterday", or like "Saturday, November 21". */
  day(date, now = new Date()) {
    const days = (Date.parse(this.dayKey(date)) - Date.parse(this.dayKey(now))) / 86_400_000;
    const text = days === 0 || days === -1 ? this._near.format(days, "day") : this._day.format(date);
    return text.charAt(0).toLocaleUpperCase(this.language) + text.slice(1);
  }

  /** Like "45 sec", "3 min" or "1 hr 20 min". */
  duration(seconds) {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 60) return this._unit(whole, "second");
    const minutes = Math.round(whole / 60);
    if (minutes < 60) return this._unit(minutes, "minute");
    const hours = this._unit(Math.floor(minutes / 60), "hour");
    return minutes % 60 ? `${hours} ${this._unit(minutes % 60, "minute")}` : hours;
  }

  _unit(value, unit) {
    return new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "short" }).format(value);
  }
}
