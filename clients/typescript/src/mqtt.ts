/** Records and requests over MQTT 5: contract/topics.md. The library is loaded when it is needed. */

import type { IClientOptions, IConnackPacket, MqttClient } from "mqtt";
import type * as contract from "./contract.js";
import { BlikkError, type ErrorCode, networkError } from "./errors.js";
import type { Kind, Message } from "./messages.js";
import type { MqttOptions, Pem } from "./options.js";
import type { Receiver, Source, Wish } from "./source.js";

const CONNECT_MS = 10_000;
const LEAVE_MS = 2_000;
const KEEP_ALIVE_S = 30;
/** For how long the broker keeps what comes while the connection is broken. */
const KEPT_S = 900;
/** By then what is retained has come, a slow broker's connection included. */
const FIRST_MS = 7_000;

/** A broker, and a node there. */
export class Broker {
  /** What every topic of the node begins with. */
  readonly base: string;
  readonly who: string;
  readonly #options: MqttOptions;

  constructor(options: MqttOptions) {
    const { url, node, prefix = "blikk" } = options;
    const wrong = (what: string) => new BlikkError("bad_request", `\`mqtt.${what}`);
    if (!URL.canParse(url)) throw wrong("url` is no address; write it like mqtt://broker.local");
    const address = new URL(url);
    if (!["mqtt:", "mqtts:", "ws:", "wss:"].includes(address.protocol)) {
      throw wrong(`url\` begins with ${address.protocol}// and not with mqtt://, mqtts://, ws:// or wss://`);
    }
    if (address.username !== "" || address.password !== "") {
      throw wrong("url` holds a user or a password; there are `username` and `password`");
    }
    if (!/^[^/+#\s]+$/.test(node)) throw wrong("node` must be the id of the node, as in blikk.yaml");
    if (!/^[^+#]+$/.test(prefix)) throw wrong("prefix` must be that of blikk.yaml, without + and #");
    this.#options = options;
    this.base = `${prefix}/${node}`;
    this.who = `${address.protocol}//${address.host}`;
  }

  get node(): string {
    return this.#options.node;
  }

  /**
   * Connects, and ends when the connection does, which throws, or when `signal` or `work` says so, which does not.
   * `work` returns what is to be done at the end.
   */
  async connected(extra: IClientOptions, signal: AbortSignal, work: (link: Link) => () => void): Promise<void> {
    const { connect } = await library();
    if (signal.aborted) return;
    const { url, username, password, tls = {} } = this.#options;
    const bytes = (pem: Pem) => (typeof pem === "string" ? pem : globalThis.Buffer.from(pem));
    const client = connect(url, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      resubscribe: false,
      connectTimeout: CONNECT_MS,
      keepalive: KEEP_ALIVE_S,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls.ca === undefined ? {} : { ca: bytes(tls.ca) }),
      ...(tls.cert === undefined ? {} : { cert: bytes(tls.cert) }),
      ...(tls.key === undefined ? {} : { key: bytes(tls.key) }),
      ...extra,
    });
    let abort = () => {};
    let leave = () => {};
    let over = false;
    try {
      await new Promise<void>((resolve, reject) => {
        abort = resolve;
        signal.addEventListener("abort", abort);
        if (signal.aborted) resolve();
        const fail = (error: unknown) => reject(this.#error(error));
        client.on("error", fail);
        client.on("disconnect", ({ reasonCode = 0 }) => fail({ code: reasonCode }));
        client.on("close", () => fail(new BlikkError("unreachable", `${this.who}: the connection was lost`)));
        leave = work({ client, done: resolve, fail });
      });
      over = true;
    } finally {
      signal.removeEventListener("abort", abort);
      leave();
      await ended(client, over);
    }
  }

  #error(error: unknown): BlikkError {
    if (error instanceof BlikkError) return error;
    const code = (error as { code?: unknown }).code;
    if (typeof code !== "number") return networkError(error, this.who);
    const [kind, what] = REASONS[code] ?? ["unreachable", "it hung up"];
    return new BlikkError(kind, `${this.who}: ${what} (MQTT reason ${code})`);
  }
}

export interface Link {
  readonly client: MqttClient;
  /** End it. */
  done(): void;
  /** End it with an error. */
  fail(error: unknown): void;
}

const UNAUTHORIZED: [ErrorCode, string] = [
  "unauthorized",
  "it refuses `mqtt.username` and `mqtt.password`; see which user it knows",
];
const OLD: [ErrorCode, string] = ["protocol", "it does not speak MQTT 5; take a newer broker"];
const REASONS: Record<number, [ErrorCode, string]> = {
  1: OLD,
  4: UNAUTHORIZED,
  5: UNAUTHORIZED,
  132: OLD,
  134: UNAUTHORIZED,
  135: UNAUTHORIZED,
  136: ["unreachable", "it is not available now"],
  137: ["full", "it is busy"],
  138: ["forbidden", "it has banned this client"],
};

/** A way to the records that has no past: `since` is for the WebSocket. */
export function mqttSource(broker: Broker): Source {
  return (wish, receiver, wait) => {
    if (wish.since !== undefined) {
      throw new BlikkError("bad_request", "`since` needs the WebSocket: give `url` and `token`");
    }
    const clientId = `blikk-${identifier()}`;
    let known = false;
    return (signal, up) => {
      const session = { clientId, clean: !known, properties: { sessionExpiryInterval: KEPT_S } };
      return broker.connected(session, signal, ({ client, fail }) => {
        const subscribed = () => {
          known = true;
          up();
        };
        // the announcement is retained
        const late = () => fail(new BlikkError("not_found", `${broker.who}: ${nobody(broker)}`));
        const expecting = known || wait ? undefined : setTimeout(late, FIRST_MS);
        client.on("connect", ({ sessionPresent }: IConnackPacket) => {
          if (known && !sessionPresent) receiver.gap({ reason: "session", missing: null });
          const work = sessionPresent ? Promise.resolve() : subscribe(client, topics(broker.base, wish));
          work.then(subscribed).catch(fail);
        });
        client.on("message", (topic, payload) => {
          if (topic === `${broker.base}/announce`) {
            clearTimeout(expecting);
            expectCameras(payload, wish, broker, fail);
          } else {
            take(read(topic, payload, broker.base), wish, receiver);
          }
        });
        return () => clearTimeout(expecting);
      });
    };
  };
}

function take(message: Message | undefined, { kinds }: Wish, receiver: Receiver): void {
  if (message !== undefined && kinds.includes(message.kind)) receiver.put(message);
}

/** The topics with their quality of service, and whether what is retained there is to come at once. */
interface Topic {
  topic: string;
  qos: 0 | 1;
  retained: boolean;
}

const PLACES: Record<Kind, readonly string[]> = {
  observation: ["+/observation"],
  event: ["+/event"],
  ring: ["+/ring"],
  summary: ["+/summary", "+/digest", "digest"],
  answer: ["+/answer/+"],
  withdrawn: ["+/summary", "+/digest", "digest", "+/answer/+"],
  state: ["+/state"],
  status: ["+/status", "status"],
  health: ["health"],
};

function topics(base: string, { kinds, cameras = ["+"] }: Wish): Topic[] {
  const found = new Map<string, Topic>();
  for (const kind of kinds) {
    const retained = kind === "state" || kind === "status" || kind === "health";
    const qos = kind === "state" || kind === "health" ? 0 : 1;
    for (const place of PLACES[kind]) {
      for (const camera of place.startsWith("+/") ? cameras : [""]) {
        const topic = `${base}/${place.replace(/^\+/, camera)}`;
        found.set(topic, { topic, qos, retained });
      }
    }
  }
  return [...found.values(), { topic: `${base}/announce`, qos: 1, retained: true }];
}

async function subscribe(client: MqttClient, wanted: readonly Topic[]): Promise<void> {
  const map = Object.fromEntries(wanted.map(({ topic, qos, retained }) => [topic, { qos, rh: retained ? 0 : 2 }]));
  for (const { topic, qos } of await client.subscribeAsync(map)) {
    if (qos >= 128) throw new BlikkError("forbidden", `the broker does not let ${topic} be read; see its access list`);
  }
}

/** The message of a topic; undefined for what is none. */
function read(topic: string, payload: Uint8Array, base: string): Message | undefined {
  const levels = topic.slice(base.length + 1).split("/");
  const camera = levels.length === 1 ? null : (levels[0] ?? null);
  const place = levels.length === 1 ? levels[0] : levels[1];
  const kind = place === "digest" ? "summary" : place;
  const head = { v: 1, camera, topic, stream: null, seq: null, cursor: null } as const;
  const text = new TextDecoder().decode(payload);
  if (kind === "status") {
    return text === "online" || text === "offline" ? { ...head, kind, content: text } : undefined;
  }
  if (text === "") {
    return kind === "summary" || kind === "answer" ? { ...head, kind: "withdrawn", content: null } : undefined;
  }
  const content = json(payload);
  return content === undefined ? undefined : ({ ...head, kind, content } as Message);
}

/** Fail where cameras are wished for that the node does not announce. */
function expectCameras(payload: Uint8Array, { cameras = [] }: Wish, { who }: Broker, fail: Link["fail"]): void {
  const announce = json(payload) as Partial<contract.Announce> | undefined;
  if (!Array.isArray(announce?.cameras)) return;
  const known = announce.cameras.map(({ id }) => id);
  const unknown = cameras.filter((camera) => !known.includes(camera)).join(", ");
  if (unknown === "") return;
  fail(new BlikkError("not_found", `${who}: the node has no camera ${unknown}; it has ${known.join(", ")}`));
}

/** The object that a payload is; undefined for what is none: anybody may publish. */
function json(payload: Uint8Array): object | undefined {
  try {
    const content: unknown = JSON.parse(new TextDecoder().decode(payload));
    return typeof content === "object" && content !== null ? content : undefined;
  } catch {
    return undefined;
  }
}

/** A request and the JSON of its answer. */
export async function requested(
  broker: Broker,
  body: object,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Promise<unknown> {
  const id = identifier(); // nobody else's: what comes on this topic is the answer
  const responseTopic = `${broker.base}/reply/${id}`;
  let answer: unknown;
  let online = false;
  const session = { clientId: `blikk-${id}`, clean: true };
  await broker.connected(session, signal, ({ client, done, fail }) => {
    const late = () => {
      const what = online
        ? `node ${broker.node} did not answer within ${timeoutMs / 1000} s; a language model may need more \`timeoutMs\``
        : nobody(broker);
      fail(new BlikkError(online ? "timeout" : "not_found", `${broker.who}: ${what}`));
    };
    let timer = setTimeout(late, Math.min(FIRST_MS, timeoutMs));
    client.on("connect", () => {
      const wanted: Topic[] = [responseTopic, `${broker.base}/status`].map((topic) => ({
        topic,
        qos: 1,
        retained: true,
      }));
      subscribe(client, wanted).catch(fail);
    });
    client.on("message", (topic, payload) => {
      if (topic === responseTopic) {
        answer = json(payload);
        if (answer !== undefined) done();
      } else if (String(payload) !== "online") {
        fail(new BlikkError("offline", `${broker.who}: node ${broker.node} is offline; start it, or see its log`));
      } else if (!online) {
        online = true;
        clearTimeout(timer);
        timer = setTimeout(late, timeoutMs);
        const options = { qos: 1, properties: { responseTopic } } as const;
        client.publishAsync(`${broker.base}/ask`, JSON.stringify(body), options).catch(fail);
      }
    });
    return () => clearTimeout(timer);
  });
  signal.throwIfAborted();
  return answer;
}

function nobody({ node, base }: Broker): string {
  return `no node ${node} is known there (${base}/announce); see \`mqtt.node\` and \`mqtt.prefix\``;
}

function identifier(): string {
  return globalThis.crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

async function library(): Promise<typeof import("mqtt")> {
  try {
    return await import("mqtt");
  } catch (error) {
    throw new BlikkError("missing_package", "the package `mqtt` is not there: npm install mqtt", { cause: error });
  }
}

/** Ends the connection; `over` also what the broker keeps for it. */
async function ended(client: MqttClient, over: boolean): Promise<void> {
  client.removeAllListeners();
  client.on("error", () => {});
  const polite = client.connected && over;
  await new Promise<void>((resolve) => {
    // a broker that does not answer must not hold up who leaves
    const late = setTimeout(() => {
      client.stream.destroy();
      resolve();
    }, LEAVE_MS);
    const options = polite ? { reasonCode: 0, properties: { sessionExpiryInterval: 0 } } : {};
    client.end(!polite, options, () => {
      clearTimeout(late);
      resolve();
    });
  });
}
