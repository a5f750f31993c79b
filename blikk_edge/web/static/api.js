// How the pages talk to the node: JSON over HTTP, and WebSockets that connect again. Every address is relative.

const BASE = new URL(".", document.baseURI);
const RETRY_MS = [300, 1000, 2000, 5000, 10000];

let csrf = null;

// An answer that says what was wrong.
export class ApiError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url.href;
}

export function get(path, query = {}, options = {}) {
  return request(address(path, query), options);
}

export function change(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (csrf) headers["X-Blikk-CSRF"] = csrf;
  return request(address(path), { method, headers, body: JSON.stringify(body ?? {}) });
}

// What this browser may do: {scope, open}. Kept: what changes have to send along.
export async function session() {
  const found = await get("v1/session");
  csrf = found.csrf;
  return found;
}

async function request(url, options) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable");
  }
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  const content = isJson ? await answer.json() : await answer.text();
  if (!answer.ok) throw new ApiError(answer.status, isJson ? content.error : answer.statusText);
  return content;
}

// A WebSocket that connects again until it is closed. `on`: {text(object), binary(Blob), state(connected, status)}.
export function socket(path, on) {
  const url = new URL(path, BASE);
  url.protocol = url.protocol.replace("http", "ws");
  let open = null;
  let tries = 0;
  let timer = 0;
  let closed = false;

  function connect() {
    open = new WebSocket(url);
    open.onmessage = (event) => {
      tries = 0;
      if (typeof event.data === "string") on.text?.(JSON.parse(event.data));
      else on.binary?.(event.data);
    };
    open.onopen = () => on.state?.(true);
    open.onclose = () => {
      if (closed) return;
      on.state?.(false);
      timer = setTimeout(connect, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
      tries += 1;
    };
  }

  connect();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      open?.close();
    },
  };
}
