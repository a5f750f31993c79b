// The shell of all pages: log-in, navigation, which page is open, and what every page knows of the node.

import { ApiError, change, session } from "./api.js";
import { Languages, LogIn } from "./parts.js";
import { listen, loadNode, store, useStore } from "./store.js";
import { html, render, useEffect, useState } from "./vendor/preact.js";
import * as words from "./words.js";
import { t } from "./words.js";

const PAGES = [
  { path: /^\/?$/, file: "./pages/wall.js", nav: "live", href: "#/" },
  { path: /^\/camera\/([a-z0-9_]+)$/, file: "./pages/camera.js", within: "live" },
  { path: /^\/timeline$/, file: "./pages/timeline.js", nav: "timeline", href: "#/timeline", ofSites: true },
  { path: /^\/event\/([^/?]+)$/, file: "./pages/event.js", title: "event", within: "timeline", ofSites: true },
  { path: /^\/debug$/, file: "./pages/debug.js", nav: "debug", href: "#/debug" },
  { path: /^\/zones\/([a-z0-9_]+)$/, file: "./pages/zones.js", title: "zones", within: "live" },
];

// Of all sites of a fleet the past is shown.
const pages = () => PAGES.filter((page) => !store.node.sites || page.ofSites);

// Where a recorded clip is behind the pages there is but one.
const CLIP = { path: /^\/?.*$/, file: "./pages/debug_clip.js", title: "clip" };

function Login() {
  return html`<main class="login"><${LogIn} of="login" button=${t("login.enter")} enter=${() => location.reload()} type="password"
      autocomplete="current-password">
    <img src="static/icon.svg" alt="" width="56" height="56" /><h1>Blikk Edge</h1><//></main>`;
}

function Header({ open }) {
  const { node, connected, session } = useStore();
  return html`<header class="bar">
    <a class="brand" href="#/"><img src="static/icon.svg" alt="" width="28" height="28" /><span>${node.name}</span></a>
    <nav aria-label=${t("nav.pages")}>
      ${pages()
        .filter((page) => page.nav && !node.clip)
        .map(
          (
            page,
          ) => html`<a href=${page.href} key=${page.nav} aria-current=${page === open ? "page" : page.nav === open?.within ? "true" : null}>
          ${t(`nav.${page.nav}`)}</a>`,
        )}
    </nav>
    <span class="spacer"></span>
    ${!connected && html`<span class="chip warn" role="status">${t("state.reconnecting")}</span>`}
    <${Languages} />
    ${
      !session.open &&
      html`<button class="quiet" onClick=${() => change("DELETE", "v1/session").then(() => location.reload())}>
      ${t("nav.leave")}</button>`
    }
  </header>`;
}

function Problems() {
  const { node, health } = useStore();
  const problems = health?.problems ?? node.problems;
  if (!problems.length) return null;
  return html`<details class="problems">
    <summary>${words.n("problems", problems.length)}</summary>
    <ul>${problems.map((text) => html`<li key=${text}>${text}</li>`)}</ul>
  </details>`;
}

function Shell() {
  const [place, setPlace] = useState(location.hash.slice(1));
  const [page, setPage] = useState(null);
  useEffect(() => {
    const moved = () => setPlace(location.hash.slice(1));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    const [path, query] = place.split("?");
    const found = store.node.clip ? CLIP : (pages().find((each) => each.path.test(path)) ?? pages()[0]);
    let wanted = true;
    import(found.file).then((module) => {
      if (!wanted) return;
      const parts = (path.match(found.path) ?? []).slice(1);
      setPage({ found, Page: module.Page, parts, query: new URLSearchParams(query ?? "") });
      const camera = store.node.cameras.find((each) => each.id === parts[0]);
      const key = found.title ?? "camera";
      const title = found.nav ? t(`nav.${found.nav}`) : t(`title.${key}`);
      const name = found.title && camera ? `${title}: ${camera.name}` : (camera?.name ?? title);
      document.title = `${name} · ${store.node.name}`;
      scrollTo(0, 0);
    });
    return () => {
      wanted = false;
    };
  }, [place]);
  return html`<${Header} open=${page?.found} />
    <main id="main">
      <${Problems} />
      ${page && html`<${page.Page} key=${place.split("?")[0]} parts=${page.parts} query=${page.query} />`}
    </main>`;
}

async function start() {
  const root = document.getElementById("app");
  await words.load();
  if (location.pathname.endsWith("/phone")) {
    const { Page } = await import("./pages/phone.js");
    render(html`<${Page} />`, root);
    return;
  }
  store.session = await session();
  if (store.session.setup) {
    const { Page } = await import("./pages/setup.js");
    render(html`<${Page} />`, root);
    return;
  }
  if (store.session.scope === "public") {
    render(html`<${Login} />`, root);
    return;
  }
  await loadNode();
  listen();
  render(html`<${Shell} />`, root);
}

start().catch((error) => {
  document.getElementById("app").textContent = error instanceof ApiError ? t("state.unreachable") : String(error);
  setTimeout(() => location.reload(), 5000);
});
