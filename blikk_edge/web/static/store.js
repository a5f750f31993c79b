// What every page knows: the node, the state of each camera, and what is reported as it comes.

import { ApiError, get, session, socket } from "./api.js";
import { useEffect, useState } from "./vendor/preact.js";
import { t } from "./words.js";

export const store = {
  node: null,
  session: null,
  states: new Map(), // camera id -> newest state
  availability: new Map(), // camera id -> "online" | "offline"
  health: null,
  connected: true,
  listeners: new Set(),
  records: new Set(), // functions that are called with each envelope
};

export function useStore() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    store.listeners.add(listener);
    return () => store.listeners.delete(listener);
  }, []);
  return store;
}

// Call `handle` with each envelope of the feed while the component is there.
export function useFeed(handle) {
  useEffect(() => {
    store.records.add(handle);
    return () => store.records.delete(handle);
  }, [handle]);
}

function changed() {
  for (const listener of store.listeners) listener();
}

export function listen() {
  let lost = false;
  socket("v1/feed", {
    state(connected) {
      store.connected = connected;
      changed();
      if (connected && lost) refresh(); // it may be another version, with other cameras
      lost = !connected;
    },
    text(envelope) {
      if (envelope.kind === "state") store.states.set(envelope.camera, envelope.content);
      else if (envelope.kind === "status") store.availability.set(envelope.camera, envelope.content);
      else if (envelope.kind === "health") store.health = envelope.content;
      for (const handle of store.records) handle(envelope);
      if (["state", "status", "health"].includes(envelope.kind)) changed();
    },
  });
}

export async function loadNode() {
  store.node = await get("v1/node");
  store.node.name ||= t("timeline.all_sites");
}

async function refresh() {
  try {
    const { version } = store.node;
    store.session = await session();
    if (store.session.scope === "public") return location.reload();
    await loadNode();
    if (store.node.version !== version) return location.reload();
    changed();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
}
