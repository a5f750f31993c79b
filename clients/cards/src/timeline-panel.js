// The timeline as a page of its own, /blikk-timeline: where notifications lead to, whatever dashboards there are.

import { h, icon } from "./dom.js";
import { textsOf } from "./texts.js";

const STYLE = `
:host { display: block; height: 100%; overflow-y: auto; background: var(--primary-background-color); }
header { position: sticky; top: 0; z-index: 1; display: flex; align-items: center; gap: 12px; box-sizing: border-box;
  height: var(--header-height, 56px); padding: 0 12px; background: var(--app-header-background-color, var(--primary-color));
  color: var(--app-header-text-color, #fff); border-bottom: var(--app-header-border-bottom, none); }
h1 { margin: 0; font-size: var(--ha-font-size-xl, 20px); font-weight: var(--ha-font-weight-normal, 400); }
button { display: grid; place-items: center; width: 40px; height: 40px; padding: 0; border: 0; border-radius: 50%;
  background: none; color: inherit; cursor: pointer; }
button:focus-visible { outline: 2px solid currentColor; }
main { max-width: 720px; margin: 0 auto; padding: 8px; }
`;

export class TimelinePanel extends HTMLElement {
  constructor() {
    super();
    const toggle = () => this.dispatchEvent(new CustomEvent("hass-toggle-menu", { bubbles: true, composed: true }));
    this._menu = h("button", { type: "button", onclick: toggle }, icon("mdi:menu"));
    this._title = h("h1");
    this._card = h("blikk-timeline-card");
    this._card.setConfig({ title: "", limit: 20, page: true });
    const style = h("style", {}, STYLE);
    this.attachShadow({ mode: "open" }).append(
      style,
      h("header", {}, this._menu, this._title),
      h("main", {}, this._card),
    );
  }

  set hass(hass) {
    const texts = textsOf(hass.language);
    this._title.textContent = texts.timeline_name;
    this._menu.setAttribute("aria-label", texts.menu);
    this._card.hass = hass;
  }

  /** The menu has a button where the sidebar is hidden. */
  set narrow(narrow) {
    this._menu.hidden = !narrow;
  }
}
