// Zones and private areas of a camera: drawn into its redacted picture, seen as YAML, written on confirmation.

import { ApiError, change, get } from "../api.js";
import { LiveView } from "../live_view.js";
import { Check, Found, useAsking, useWaiting, Wrong } from "../parts.js";
import { useStore } from "../store.js";
import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { label, t } from "../words.js";
import { Drawing } from "../zone_drawing.js";
import { crosses, freeName, rectangle } from "../zone_shapes.js";

const CHECK_MS = 350;
const NOTHING = { boxes: false, zones: false, motion: false };
const drafts = new Map(); // camera -> history: what was drawn is there again after a look at another page

let number = 0;

const areasOf = (found) => [
  ...found.zones.map((zone) => ({ ...zone, key: ++number, kind: "zone", was: zone.name })),
  ...found.private.map((polygon) => ({ key: ++number, kind: "private", polygon })),
];

const bodyOf = (areas, tag) => ({
  tag,
  zones: areas
    .filter((area) => area.kind === "zone")
    .map(({ name, was, polygon, labels, loiter_s }) => ({ name, was, polygon, labels, loiter_s })),
  private: areas.filter((area) => area.kind === "private").map((area) => area.polygon),
});

// Steps that can be taken back: {past, now, next}.
function useHistory(camera) {
  const [history, setHistory] = useState(() => drafts.get(camera) ?? null);
  useEffect(() => {
    if (history) drafts.set(camera, history);
  }, [camera, history]);
  const reset = useCallback((now) => setHistory({ past: [], now, next: [] }), []);
  const step = useCallback(
    (now) => setHistory((before) => ({ past: [...before.past.slice(-99), before.now], now, next: [] })),
    [],
  );
  const undo = useCallback(
    () =>
      setHistory(({ past, now, next }) =>
        past.length ? { past: past.slice(0, -1), now: past.at(-1), next: [now, ...next] } : { past, now, next },
      ),
    [],
  );
  const redo = useCallback(
    () =>
      setHistory(({ past, now, next }) =>
        next.length ? { past: [...past, now], now: next[0], next: next.slice(1) } : { past, now, next },
      ),
    [],
  );
  return { history, reset, step, undo, redo };
}

// What the node says of what is drawn, a moment after the last change.
function useProposal(camera, areas, tag) {
  const [proposal, setProposal] = useState(null);
  useEffect(() => {
    if (!areas || !tag) return undefined;
    let wanted = true;
    const timer = setTimeout(async () => {
      try {
        const found = await change("POST", `v1/cameras/${camera}/zones`, bodyOf(areas, tag));
        if (wanted) setProposal({ ...found, areas, tag });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (wanted) setProposal({ error: error.message, changedMeanwhile: error.status === 409, areas, tag });
      }
    }, CHECK_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [camera, areas, tag]);
  return { proposal, current: proposal !== null && proposal.areas === areas && proposal.tag === tag };
}

function Difference({ lines }) {
  if (!lines.length) return html`<p class="quiet">${t("zones.nothing")}</p>`;
  return html`<pre class="yaml" tabindex="0" aria-label=${t("zones.yaml")}>${lines.map(
    (line, index) =>
      html`<span key=${index} class=${{ "+": "added", "-": "gone" }[line[0]] ?? "same"}>${`${line}\n`}</span>`,
  )}</pre>`;
}

function Yaml({ proposal, found }) {
  const [copied, setCopied] = useState(false);
  if (!proposal) return html`<p class="quiet">${t("timeline.loading")}</p>`;
  if (proposal.error) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(proposal.yaml);
    setCopied(true);
  };
  const byHand = proposal.paste || proposal.refused;
  return html`${byHand && html`<p>${t("zones.paste", { file: found.file })}</p>`}
    ${
      proposal.paste
        ? html`<pre class="yaml" tabindex="0" aria-label=${t("zones.yaml")}>${proposal.yaml || t("zones.nothing")}</pre>`
        : html`<${Difference} lines=${proposal.difference} />`
    }
    ${
      byHand &&
      navigator.clipboard &&
      html`<button onClick=${copy}>${copied ? t("zones.copied") : t("zones.copy")}</button>`
    }`;
}

function Labels({ area, all, set }) {
  const chosen = area.labels ?? all;
  const toggle = (name, on) => {
    const now = all.filter((each) => (each === name ? on : chosen.includes(each)));
    set({ labels: now.length === all.length ? null : now });
  };
  return html`<fieldset><legend>${t("zones.labels")}</legend>
    ${all.map(
      (name) => html`<${Check} key=${name} on=${chosen.includes(name)} set=${(on) => toggle(name, on)}
        disabled=${chosen.length === 1 && chosen.includes(name)}>${label(name)}<//>`,
    )}</fieldset>`;
}

function ZoneForm({ area, all, set, remove, named }) {
  const field = useRef(null);
  useEffect(() => {
    if (!named) return;
    field.current.focus();
    field.current.select();
  }, [named, area.key]);
  const wait = (text) => (text.trim() === "" ? null : Number(text.replace(",", ".")));
  return html`<div class="zone-form">
    <label for="zone-name">${t("setup.name")}</label>
    <input id="zone-name" ref=${field} value=${area.name} maxlength="64" autocapitalize="none" autocomplete="off"
      spellcheck="false" aria-describedby="zone-name-hint" onChange=${(e) => set({ name: e.target.value.trim() })} />
    <p id="zone-name-hint" class="note">${t("zones.name_hint")}</p>
    <label for="zone-loiter">${t("zones.loiter")}</label>
    <input id="zone-loiter" type="number" inputmode="decimal" min="1" max="86400" step="any"
      value=${area.loiter_s ?? ""} placeholder=${t("zones.loiter_camera")}
      onChange=${(e) => set({ loiter_s: wait(e.target.value) })} />
    <${Labels} area=${area} all=${all} set=${set} />
    <button class="danger" onClick=${remove}>${t("zones.remove_zone")}</button>
  </div>`;
}

function Areas({ areas, selected, select, found, set, remove, named }) {
  if (!areas.length) return html`<p class="quiet">${t("zones.none")}</p>`;
  let hidden = 0;
  return html`<ul class="areas">${areas.map((area) => {
    if (area.kind === "private") hidden += 1;
    const open = area.key === selected;
    const name = area.kind === "zone" ? area.name : t("zones.private_nr", { number: hidden });
    return html`<li key=${area.key} class=${area.kind}>
      <button class="area" aria-expanded=${open} onClick=${() => select(open ? null : area.key)}>
        <span class="swatch" aria-hidden="true"></span><span>${name}</span>
        ${crosses(area.polygon) && html`<span class="chip warn">${t("zones.crosses")}</span>`}
      </button>
      ${
        open &&
        (area.kind === "zone"
          ? html`<${ZoneForm} area=${area} all=${found.labels} set=${set} remove=${remove} named=${named === area.key} />`
          : html`<div class="zone-form"><p class="note">${t("zones.private_hint")}</p>
              <button class="danger" onClick=${remove}>${t("zones.remove_private")}</button></div>`)
      }
    </li>`;
  })}</ul>`;
}

function Problems({ proposal, found }) {
  if (proposal?.error) return html`<${Wrong} text=${proposal.error} />`;
  if (!proposal?.problems.length) return null;
  return html`<${Found} problems=${proposal.problems} file=${found.file} role="status" />`;
}

function Confirm({ proposal, found, close, save, busy }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} class="card pad" aria-labelledby="confirm-title" onClose=${close}>
    <h2 id="confirm-title">${t("zones.confirm", { file: found.file })}</h2>
    <p class="note">${t("zones.confirm_hint")}</p>
    <${Difference} lines=${proposal.difference} />
    <div class="row end"><button onClick=${() => dialog.current.close()}>${t("zones.cancel")}</button>
      <button class="primary" disabled=${busy} onClick=${save}>${t("zones.write")}</button></div>
  </dialog>`;
}

// What was written, and what makes it count.
function Saved({ camera, found, saved, load }) {
  const [state, setState] = useState("");
  const [wrong, setWrong] = useState("");
  useWaiting(state === "restarting", `v1/cameras/${camera}/zones`, ({ runs }) => {
    if (!runs) return;
    setState("");
    load();
  });
  const restart = async () => {
    try {
      await change("POST", "v1/restart");
      setState("restarting");
    } catch (error) {
      setWrong(error.message);
    }
  };
  if (found.runs) {
    return saved ? html`<p class="good" role="status">${t("zones.counts", { backup: saved.backup })}</p>` : null;
  }
  return html`<div class="problems" role="status">
    ${saved ? html`<p>${t("zones.saved", { file: found.file, backup: saved.backup })}</p>` : null}
    <p>${t("zones.not_running")}</p>
    ${
      state === "restarting"
        ? html`<p><strong>${t("zones.restarting")}</strong></p>`
        : found.restarts
          ? html`<div class="row"><button class="primary" onClick=${restart}>${t("zones.restart")}</button>
              <span>${t("zones.restart_hint")}</span></div>`
          : html`<p>${t("zones.restart_yourself")}</p>`
    }
    <${Wrong} text=${wrong} />
  </div>`;
}

function useFile(camera, history, reset) {
  const [found, setFound] = useState(null);
  const [wrong, setWrong] = useState("");
  const kept = useRef(history);
  kept.current = history;
  const load = useCallback(
    async (anew = false) => {
      try {
        const got = await get(`v1/cameras/${camera}/zones`);
        setFound(got);
        if (got.zones && (anew || !kept.current)) reset(areasOf(got));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        setWrong(error.message);
      }
    },
    [camera, reset],
  );
  useEffect(() => {
    load();
  }, [load]);
  return { found, wrong, load };
}

// The name of a key press with what is held down: "ctrl+shift+z".
const pressedName = (event) =>
  [(event.ctrlKey || event.metaKey) && "ctrl", event.shiftKey && "shift", event.key.toLowerCase()]
    .filter(Boolean)
    .join("+");

function useShortcuts({ undo, redo, stop }) {
  useEffect(() => {
    const meant = { "ctrl+z": undo, "ctrl+shift+z": redo, "ctrl+y": redo, escape: stop };
    const pressed = (event) => {
      const act = meant[pressedName(event)];
      if (!act || event.target.closest("input, dialog")) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [undo, redo, stop]);
}

function Tools({ history, drawing, begin, chosen, corner, removeCorner, undo, redo, still, setStill }) {
  return html`<div class="tools" role="group" aria-label=${t("zones.tools")}>
    <button aria-pressed=${drawing === "zone"} onClick=${begin("zone")}>${t("zones.new_zone")}</button>
    <button aria-pressed=${drawing === "private"} onClick=${begin("private")}>${t("zones.new_private")}</button>
    ${
      chosen &&
      html`<button disabled=${corner === null || chosen.polygon.length < 4} onClick=${removeCorner}>
        ${t("zones.remove_corner")}</button>`
    }
    <button onClick=${undo} disabled=${!history.past.length} title="Ctrl+Z">${t("zones.undo")}</button>
    <button onClick=${redo} disabled=${!history.next.length} title="Ctrl+Shift+Z">${t("zones.redo")}</button>
    <button aria-pressed=${still} onClick=${() => setStill(!still)}>${t("zones.still")}</button>
  </div>`;
}

function InFile({ found, proposal, current, refused, load, ask }) {
  const changed = Boolean(proposal?.changed);
  const fine = current && !proposal.error && !proposal.refused && !proposal.problems.length;
  return html`<section class="card pad"><h2>${t("zones.file", { file: found.file })}</h2>
    <${Problems} proposal=${proposal} found=${found} />
    ${(proposal?.changedMeanwhile || refused) && html`<button onClick=${() => load(true)}>${t("zones.load")}</button>`}
    <${Wrong} text=${refused} />
    <${Wrong} text=${!found.refused && proposal?.refused} />
    <${Yaml} proposal=${proposal} found=${found} />
    <div class="row"><button class="primary" disabled=${!(fine && changed)} onClick=${ask}>${t("zones.save")}</button>
      <button disabled=${!changed} onClick=${() => load(true)}>${t("zones.discard")}</button></div>
  </section>`;
}

function Editor({ camera }) {
  const { history, reset, step, undo, redo } = useHistory(camera.id);
  const { found, wrong, load } = useFile(camera.id, history, reset);
  const [selected, setSelected] = useState(null);
  const [drawing, setDrawing] = useState(null); // the kind of area whose corners are being set
  const [corner, setCorner] = useState(null); // of the selected area
  const [named, setNamed] = useState(null); // the new zone that is still to be named
  const [still, setStill] = useState(false);
  const [asking, setAsking] = useState(false);
  const [saved, setSaved] = useState(null);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState("");
  const areas = history?.now;
  const { proposal, current } = useProposal(camera.id, areas, found?.tag);
  const changed = Boolean(current ? proposal.changed : history?.past.length);
  useEffect(() => setCorner(null), [selected]);
  const stop = useCallback(() => {
    setDrawing(null);
    setSelected(null);
  }, []);
  useShortcuts({ undo, redo, stop });
  useAsking(changed);

  if (wrong) return html`<${Wrong} text=${wrong} />`;
  if (!found) return html`<p class="quiet">${t("timeline.loading")}</p>`;
  if (!areas) {
    return html`<${Wrong} text=${found.refused} /><${Problems} proposal=${found} found=${found} />`;
  }

  // After a touch the name does not get the focus: the page would move under the finger.
  const add = (kind, polygon, touched = false) => {
    const name = freeName(areas.map((area) => area.name));
    const area = { key: ++number, kind, polygon, ...(kind === "zone" && { name, labels: null, loiter_s: null }) };
    step([...areas, area]);
    setSelected(area.key);
    setDrawing(null);
    if (kind === "zone" && !touched) setNamed(area.key);
  };
  // A key press on the button (`detail` is 0) makes a rectangle, whose corners the arrow keys move.
  const begin = (kind) => (event) => {
    if (event.detail === 0) {
      add(kind, rectangle(areas.length));
      return;
    }
    setDrawing(drawing === kind ? null : kind);
    setSelected(null);
  };
  const set = (values) => {
    step(areas.map((area) => (area.key === selected ? { ...area, ...values } : area)));
    setNamed(null);
  };
  const remove = () => {
    step(areas.filter((area) => area.key !== selected));
    setSelected(null);
  };
  const chosen = areas.find((area) => area.key === selected);
  const removeCorner = () => {
    set({ polygon: chosen.polygon.filter((_, index) => index !== corner) });
    setCorner(null);
  };
  const save = async () => {
    setBusy(true);
    setRefused("");
    try {
      const done = await change("PUT", `v1/cameras/${camera.id}/zones`, bodyOf(areas, found.tag));
      setSaved(done);
      await load(true);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setRefused(error.message);
    }
    setBusy(false);
    setAsking(false);
  };

  const hint = drawing ? "draw" : selected ? "edit" : "begin";
  return html`<${Saved} camera=${camera.id} found=${found} saved=${saved} load=${load} />
    ${found.refused && html`<p class="problems" role="status">${t("zones.refused", { why: found.refused })}</p>`}
    <div class="camera zones">
      <div>
        <div class="card draw-stage">
          <${LiveView} camera=${camera} layers=${NOTHING} paused=${still} />
          <${Drawing} areas=${areas} selected=${selected} select=${setSelected} drawing=${drawing} add=${add}
            change=${step} corner=${corner} setCorner=${setCorner} />
        </div>
        <${Tools} history=${history} drawing=${drawing} begin=${begin} chosen=${chosen} corner=${corner}
          removeCorner=${removeCorner} undo=${undo} redo=${redo} still=${still} setStill=${setStill} />
        <p class="note" aria-live="polite">${t(`zones.hint_${hint}`)}</p>
      </div>
      <section class="card pad areas-card"><h2>${t("zones.areas")}</h2>
        <${Areas} areas=${areas} selected=${selected} select=${setSelected} found=${found} set=${set} remove=${remove}
          named=${named} />
      </section>
      <${InFile} found=${found} proposal=${proposal} current=${current} refused=${refused} load=${load}
        ask=${() => setAsking(true)} />
    </div>
    ${
      asking &&
      html`<${Confirm} proposal=${proposal} found=${found} close=${() => setAsking(false)} save=${save} busy=${busy} />`
    }`;
}

export function Page({ parts }) {
  const { node, session } = useStore();
  const camera = node.cameras.find((each) => each.id === parts[0]);
  if (!camera) return html`<p class="note">${t("camera.unknown")}</p>`;
  return html`<div class="heading"><h1>${t("zones.title", { camera: camera.name })}</h1>
      <a href=${`#/camera/${camera.id}`}>${t("zones.back")}</a></div>
    ${
      session.scope === "control"
        ? html`<${Editor} camera=${camera} />`
        : html`<p class="note">${t("zones.control")}</p>`
    }`;
}
