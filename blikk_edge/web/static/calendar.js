// A month, with the days on which something happened.

import { useAnswer, Wrong } from "./parts.js";
import { html, useState } from "./vendor/preact.js";
import { language, n, t } from "./words.js";

const MONDAY = Date.UTC(2026, 0, 5, 12);
const DAY_MS = 86_400_000;

const format = (options) => new Intl.DateTimeFormat(language, { timeZone: "UTC", ...options });

function monthAfter(month, by) {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7);
}

function daysOf(month) {
  const [year, number] = month.split("-").map(Number);
  const count = new Date(Date.UTC(year, number, 0)).getUTCDate();
  return Array.from({ length: count }, (_, at) => `${month}-${String(at + 1).padStart(2, "0")}`);
}

export function Calendar({ day, camera, site, choose }) {
  const [month, setMonth] = useState(day.slice(0, 7));
  const [counts, setCounts] = useState(new Map());
  const take = (found) => setCounts(new Map(found.days.map((each) => [each.day, each.events])));
  const [wrong] = useAnswer("v1/timeline/days", { month, camera, site }, take);
  const days = daysOf(month);
  const first = (new Date(`${days[0]}T12:00:00Z`).getUTCDay() + 6) % 7;
  const most = Math.max(1, ...counts.values());
  const name = format({ month: "long", year: "numeric" }).format(new Date(`${days[0]}T12:00:00Z`));
  const spoken = format({ weekday: "long", day: "numeric", month: "long" });
  return html`<section class="calendar card pad" aria-label=${t("timeline.calendar")}>
    <div class="row"><button aria-label=${t("calendar.before")} onClick=${() => setMonth(monthAfter(month, -1))}>‹</button>
      <h2 aria-live="polite">${name}</h2>
      <button aria-label=${t("calendar.after")} onClick=${() => setMonth(monthAfter(month, 1))}>›</button></div>
    <${Wrong} text=${wrong?.message} />
    <div class="month">
      ${Array.from(
        { length: 7 },
        (_, at) => html`<span class="quiet" aria-hidden="true" key=${`w${at}`}>
          ${format({ weekday: "narrow" }).format(new Date(MONDAY + at * DAY_MS))}</span>`,
      )}
      ${Array.from({ length: first }, (_, at) => html`<span key=${`e${at}`}></span>`)}
      ${days.map((each) => {
        const count = counts.get(each) ?? 0;
        const said = `${spoken.format(new Date(`${each}T12:00:00Z`))}: ${n("timeline.events", count)}`;
        return html`<button key=${each} class="day" disabled=${!count} aria-label=${said} title=${said}
          aria-current=${each === day ? "date" : null} onClick=${() => choose(each)}>${Number(each.slice(8))}
          <span class="share" style=${{ width: `${count ? Math.max(12, (count / most) * 100) : 0}%` }}></span></button>`;
      })}
    </div>
  </section>`;
}
