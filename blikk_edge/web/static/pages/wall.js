// All cameras at once.

import { useKeys } from "../keys.js";
import { LiveView } from "../live_view.js";
import { useStore } from "../store.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { label, n, t } from "../words.js";

const LAYERS = { boxes: true, zones: false, motion: false };

export function Now({ state, availability }) {
  if (availability === "offline") return html`<span class="chip warn">${t("state.away")}</span>`;
  const here = Object.entries(state?.counts ?? {}).filter(([, count]) => count > 0);
  return html`${state?.motion && html`<span class="chip moving">${t("state.motion")}</span>`}
    ${here.map(([name, count]) => html`<span class=${`chip ${name}`} key=${name}>${count} ${label(name)}</span>`)}
    ${!state?.motion && !here.length && html`<span class="chip">${t("state.quiet")}</span>`}`;
}

function Tile({ camera }) {
  const { states, availability } = useStore();
  const place = useRef(null);
  const [visible, setVisible] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver(([entry]) => setVisible(entry.isIntersecting));
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  return html`<article class="card tile" ref=${place}>
    <a href=${`#/camera/${camera.id}`} aria-label=${t("live.open", { camera: camera.name })}>
      <${LiveView} camera=${camera} layers=${LAYERS} paused=${!visible} />
    </a>
    <footer><h2><a href=${`#/camera/${camera.id}`}>${camera.name}</a></h2>
      <span class="spacer"></span>
      <${Now} state=${states.get(camera.id)} availability=${availability.get(camera.id)} />
    </footer>
  </article>`;
}

export function Page() {
  const { node } = useStore();
  useKeys(Object.fromEntries(node.cameras.map(({ id }, at) => [at + 1, () => location.assign(`#/camera/${id}`)])));
  return html`<h1 class="hidden">${t("nav.live")}</h1>
    <p class="note">${n("live.note", node.cameras.length)}</p>
    <div class=${`wall wall-${Math.min(node.cameras.length, 4)}`}>
      ${node.cameras.map((camera) => html`<${Tile} key=${camera.id} camera=${camera} />`)}
    </div>`;
}
