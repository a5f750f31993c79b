// A short way to write elements, and what all of the cards look like.

/** An element with properties (`onclick`, `className`), attributes for all else, and children; null ones are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** An icon of Home Assistant, which nobody has to hear of. */
export const icon = (name) => h("ha-icon", { icon: name, "aria-hidden": "true" });

/** A message in the place of events, with a button where there is something to do. */
export function notice(name, text, action = null) {
  return h("div", { className: "notice" }, icon(name), h("p", {}, text), action);
}

/** A line above the events that says what is wrong with them. */
export const banner = (name, text) => h("div", { className: "banner", role: "alert" }, icon(name), h("span", {}, text));

/** A button with words. */
export const button = (text, onclick) => h("button", { className: "action", type: "button", onclick }, text);

// for who hears the page, not for who sees it
const HIDDEN =
  "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;";

export const STYLE = `
:host { display: block; height: 100%; }
[hidden] { display: none !important; }
ha-card { display: flex; flex-direction: column; height: 100%; overflow: hidden; box-sizing: border-box; }
ha-card { container-type: inline-size; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding: 12px 16px 8px; }
h2 { flex: 1 1 auto; margin: 0; font-size: var(--ha-font-size-xl, 20px); font-weight: var(--ha-font-weight-normal, 400);
  line-height: 1.3; color: var(--ha-card-header-color, var(--primary-text-color)); }
.filters { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.body { flex: 1 1 auto; min-height: 0; overflow-y: auto; padding: 0 8px 8px; }
button, select { font: inherit; color: inherit; cursor: pointer; }
:focus-visible { outline: 2px solid var(--primary-color); outline-offset: 2px; }
.chip, select, .action { min-height: 36px; padding: 0 12px; border-radius: 18px; border: 1px solid var(--divider-color);
  background: none; color: var(--primary-text-color); font-size: var(--ha-font-size-m, 14px); }
.chip { display: inline-flex; align-items: center; gap: 6px; --mdc-icon-size: 18px; }
@container (max-width: 480px) { .chip:not([aria-pressed="true"]) span { ${HIDDEN} } }
.chip[aria-pressed="true"] { background: var(--secondary-background-color); border-color: var(--primary-color);
  box-shadow: inset 0 0 0 1px var(--primary-color); }
.chip[aria-pressed="true"] ha-icon { color: var(--primary-color); }
select { max-width: 170px; background: var(--card-background-color); }
.action { display: block; margin: 8px auto; border-color: var(--primary-color); }
.action:disabled { opacity: 0.5; cursor: default; }
h3 { margin: 0; padding: 12px 8px 4px; font-size: var(--ha-font-size-s, 12px); letter-spacing: 0.04em;
  font-weight: var(--ha-font-weight-medium, 500); color: var(--secondary-text-color); }
ul { list-style: none; margin: 0; padding: 0; }
.row { display: flex; gap: 12px; width: 100%; padding: 8px; border: 0; border-radius: 8px; background: none;
  text-align: start; align-items: flex-start; }
.row:hover, .row[aria-expanded="true"] { background: var(--secondary-background-color); }
.row:focus-visible { outline-offset: -2px; }
li { scroll-margin-top: 72px; }
li.opened > .row { box-shadow: inset 3px 0 0 var(--primary-color); }
.thumb { flex: none; display: grid; place-items: center; width: 96px; height: 72px; border-radius: 6px; overflow: hidden;
  background: var(--secondary-background-color); color: var(--secondary-text-color); --mdc-icon-size: 28px; }
.row:hover .thumb, .row[aria-expanded="true"] .thumb { background: var(--divider-color); }
.thumb > * { grid-area: 1 / 1; }
.thumb img { position: relative; width: 100%; height: 100%; object-fit: cover; }
.words { flex: 1 1 auto; min-width: 0; display: block; }
.words > span { display: block; }
.name { font-size: var(--ha-font-size-m, 14px); font-weight: var(--ha-font-weight-medium, 500); line-height: 1.35;
  color: var(--primary-text-color); overflow-wrap: anywhere; }
.text { display: -webkit-box !important; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
  font-size: var(--ha-font-size-m, 14px); line-height: 1.4; color: var(--secondary-text-color); }
.facts { margin-top: 2px; font-size: var(--ha-font-size-s, 12px); line-height: 1.5; color: var(--secondary-text-color); }
.facts b { font-weight: var(--ha-font-weight-medium, 500); color: var(--primary-text-color); }
.now::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-inline-end: 6px; border-radius: 50%;
  background: var(--error-color); animation: pulse 2s infinite; }
.high { color: var(--warning-color); --mdc-icon-size: 16px; margin-inline-end: 4px; }
.detail { padding: 4px 8px 12px; }
.detail img { display: block; width: 100%; margin-bottom: 8px; border-radius: 6px; }
.detail p { margin: 0 0 8px; line-height: 1.5; color: var(--primary-text-color); overflow-wrap: anywhere; }
.detail .facts { margin: 0; }
.notice { display: grid; justify-items: center; gap: 8px; padding: 24px 16px; text-align: center;
  color: var(--secondary-text-color); --mdc-icon-size: 40px; }
.notice p { margin: 0; }
.banner { display: flex; gap: 8px; margin: 4px 8px; padding: 8px 12px; border-radius: 8px; --mdc-icon-size: 20px;
  font-size: var(--ha-font-size-s, 12px); line-height: 1.5; color: var(--primary-text-color);
  border: 1px solid var(--warning-color); }
.banner ha-icon { flex: none; color: var(--warning-color); }
.bone { border-radius: 6px; background: var(--divider-color); animation: pulse 1.5s infinite; }
.hidden { ${HIDDEN} }
@keyframes pulse { 50% { opacity: 0.4; } }
@media (prefers-reduced-motion: reduce) { .now::before, .bone { animation: none; } }
`;
