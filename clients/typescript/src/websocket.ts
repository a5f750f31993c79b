/** Records over a WebSocket: contract/websocket.md. Takes up by cursor where a connection broke off. */

import { openSocket } from "#socket";
import type { Hello } from "./contract.js";
import { BlikkError } from "./errors.js";
import { KINDS, type Message, RECORDS } from "./messages.js";
import type { Receiver, Source, Wish } from "./source.js";

const PATH = "/v1/records";
/** A node pings every 20 s. */
const SILENCE_MS = 60_000;

export interface WebSocketOptions {
  readonly url: string;
  readonly token: string;
  readonly ca?: string | Uint8Array | undefined;
}

export function webSocketSource({ url, token, ca }: WebSocketOptions): Source {
  const address = recordsAddress(url);
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new BlikkError("bad_request", "`token` must be the node's `http.tokens.view`: ASCII, without spaces");
  }
  return (wish, receiver) => {
    const reading = new Reading(wish, receiver);
    return (signal, up) => {
      let greeted = false;
      const onText = (text: string) => {
        const message = parsed(text, address.host);
        if (greeted) {
          reading.take(message as Message);
          return;
        }
        reading.greet(helloOf(message, address.host));
        greeted = true;
        up();
      };
      const options = {
        url: reading.url(address),
        who: `${address.protocol}//${address.host}`,
        token,
        ca,
        silenceMs: SILENCE_MS,
      };
      return openSocket(options, onText, signal);
    };
  };
}

/** What one reader has been sent, over all connections. */
class Reading {
  #since: string | undefined;
  #stream: string | undefined;
  #seq: number | undefined;
  /** Whether the numbers of what comes follow each other. */
  readonly #whole: boolean;

  constructor(
    private readonly wish: Wish,
    private readonly receiver: Receiver,
  ) {
    this.#since = wish.since;
    this.#whole = wish.cameras === undefined && RECORDS.every((kind) => wish.kinds.includes(kind));
  }

  url(address: URL): string {
    const url = new URL(address);
    url.searchParams.set("kinds", this.wish.kinds.join(","));
    if (this.wish.cameras !== undefined) url.searchParams.set("cameras", this.wish.cameras.join(","));
    if (this.#since !== undefined) url.searchParams.set("since", this.#since);
    return url.href;
  }

  greet({ stream, complete, cursor }: Hello): void {
    const restarted = this.#stream !== undefined && this.#stream !== stream;
    if (complete === false) this.receiver.gap({ reason: restarted ? "restarted" : "expired", missing: null });
    if (complete !== true || restarted) this.#seq = undefined;
    this.#stream = stream;
    this.#since ??= cursor ?? undefined;
  }

  take(message: Message): void {
    if (!KINDS.includes(message.kind)) return;
    const { seq, cursor } = message;
    if (seq !== null) {
      if (this.#whole && this.#seq !== undefined && seq > this.#seq + 1) {
        this.receiver.gap({ reason: "skipped", missing: seq - this.#seq - 1 });
      }
      this.#seq = seq;
    }
    if (cursor !== null) this.#since = cursor;
    this.receiver.put(message);
  }
}

/** The address of the records of the node at `url`. */
function recordsAddress(url: string): URL {
  const wrong = (what: string) => new BlikkError("bad_request", `\`url\` ${what}; write it like ws://127.0.0.1:8428`);
  if (!URL.canParse(url)) throw wrong("is no address");
  const address = new URL(url);
  if (address.protocol !== "ws:" && address.protocol !== "wss:") {
    throw wrong(`begins with ${address.protocol}// and not with ws:// or wss://`);
  }
  if (address.username !== "" || address.password !== "") throw wrong("holds a user or a password; there is `token`");
  if (address.search !== "" || address.hash !== "")
    throw wrong("holds a query; there are `kinds`, `cameras` and `since`");
  const path = address.pathname.replace(/\/$/, "");
  address.pathname = path.endsWith(PATH) ? path : path + PATH;
  return address;
}

function parsed(text: string, who: string): { kind?: unknown; v?: unknown } {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message === "object" && message !== null) return message;
  } catch {}
  throw new BlikkError("protocol", `${who}: it sent a message that is no JSON object; see whether it is a node`);
}

function helloOf(message: { kind?: unknown; v?: unknown }, who: string): Hello {
  if (message.kind !== "hello") throw new BlikkError("protocol", `${who}: it does not greet; see whether it is a node`);
  if (message.v !== 1) throw new BlikkError("protocol", `${who}: it speaks protocol ${message.v}; take a newer client`);
  return message as Hello;
}
