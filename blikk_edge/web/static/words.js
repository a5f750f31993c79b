// Texts in the language of the browser: English, German or Spanish.

const KEPT = "blikk.language";

let words = {};
export let language = "en";

export const languages = [
  ["en", "English"],
  ["de", "Deutsch"],
  ["es", "Español"],
];

export async function load() {
  const wanted = [localStorage.getItem(KEPT), ...navigator.languages]
    .filter(Boolean)
    .map((tag) => tag.slice(0, 2).toLowerCase());
  language = wanted.find((tag) => languages.some(([each]) => each === tag)) ?? "en";
  const answer = await fetch(new URL(`words/${language}.json`, import.meta.url));
  words = await answer.json();
  document.documentElement.lang = language;
}

export function choose(tag) {
  localStorage.setItem(KEPT, tag);
  location.reload();
}

// The text of a key, with {names} replaced. A key that is missing shows itself: a test finds it.
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// The right form for a number: keys `<key>.one` and `<key>.other`.
export function n(key, count) {
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { count });
}

export const label = (name) => t(`label.${name}`);
export const key = (name) => t("live.key", { key: name });

// Dates are written as in the browser's own region, hours from 1 to 12 or from 0 to 23 whatever the language of the page.
function format(time, zone, options) {
  const region = navigator.languages.find((tag) => tag.slice(0, 2).toLowerCase() === language) ?? language;
  const { hourCycle } = new Intl.DateTimeFormat(navigator.language, { hour: "numeric" }).resolvedOptions();
  const all = { ...options, timeZone: zone ?? undefined, ...(options.hour && { hourCycle }) };
  return new Intl.DateTimeFormat(region, all).format(new Date(time));
}

export function clock(time, zone, seconds = true) {
  return format(time, zone, { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) });
}

// The time of a mark on an axis: a full hour as short as the language has it.
export function mark(time, zone) {
  const full = new Date(time).getMinutes() === 0;
  return format(time, zone, { hour: "numeric", ...(!full && { minute: "2-digit" }) });
}

export const day = (time, zone) => format(time, zone, { weekday: "long", day: "numeric", month: "long" });
export const date = (time, zone) => format(time, zone, { day: "numeric", month: "short" });

// The day of a time as addresses have it: 2026-11-21.
export function isoDay(time, zone) {
  const options = { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone ?? undefined };
  return new Intl.DateTimeFormat("sv-SE", options).format(new Date(time));
}

// Rounded down, as in the texts about an event.
export function length(seconds) {
  if (seconds < 60) return t("time.s", { count: Math.floor(seconds) });
  if (seconds < 3600) return t("time.min", { count: Math.floor(seconds / 60) });
  return t("time.h", { count: (seconds / 3600).toFixed(1) });
}

export const percent = (share) => new Intl.NumberFormat(language, { style: "percent" }).format(share);
