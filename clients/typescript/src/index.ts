/** A Blikk Edge node as seen by a program: what its cameras report, and answers about what happened. */

import type * as contract from "./contract.js";
import { BlikkError } from "./errors.js";
import {
  type Found,
  KINDS,
  type Kind,
  type Label,
  type Message,
  type ObservationKind,
  RECORDS,
  type RecordKind,
  type Reply,
} from "./messages.js";
import { Broker, mqttSource, requested } from "./mqtt.js";
import type {
  AskOptions,
  BlikkOptions,
  EventsOptions,
  MessagesOptions,
  ObservationsOptions,
  QuestionOptions,
  RecordsOptions,
  SearchOptions,
} from "./options.js";
import type { Source } from "./source.js";
import { Subscription } from "./subscription.js";
import { webSocketSource } from "./websocket.js";

export type * as contract from "./contract.js";
export { BlikkError, type ErrorCode } from "./errors.js";
export type * from "./messages.js";
export type * from "./options.js";
export type { ReadingOptions, Subscription } from "./subscription.js";

/** A request: contract/topics.md has what each needs. */
export type Request = Omit<contract.Ask, "response_topic" | "correlation">;

export interface Blikk {
  /** What changed in front of the cameras. */
  observations(options?: ObservationsOptions): Subscription<contract.Observation>;
  /** Visits: `started`, `updated` and `ended`, with the same `id`. */
  events(options?: EventsOptions): Subscription<contract.BlikkEvent>;
  /** Messages of any kind, in their envelopes. */
  records<K extends Kind = RecordKind>(options?: MessagesOptions<K>): Subscription<Message<K>>;
  /** A question about what happened, over MQTT. Throws BlikkError where the node refuses it. */
  ask(question: string, options?: QuestionOptions): Promise<Reply>;
  /** What was seen and looks like these words, the best first, over MQTT. Throws BlikkError where the node refuses it. */
  search(query: string, options?: SearchOptions): Promise<Found[]>;
  /** Another request, over MQTT: `{do: "events", label: "person"}`. Throws BlikkError where the node refuses it. */
  request(request: Request, options?: AskOptions): Promise<Reply>;
}

/** A client of one node. Connects when it is used; throws BlikkError for options that cannot be used. */
export function blikk(options: BlikkOptions): Blikk {
  const { url, token, tls, mqtt } = options;
  const broker = mqtt === undefined ? undefined : new Broker(mqtt);
  let source: Source;
  if (url !== undefined) {
    if (token === undefined) throw new BlikkError("bad_request", "`url` needs `token`: the node's `http.tokens.view`");
    source = webSocketSource({ url, token, ca: tls?.ca });
  } else if (broker !== undefined) {
    source = mqttSource(broker);
  } else {
    throw new BlikkError("bad_request", "give `url` and `token` of the node's WebSocket, or `mqtt: {url, node}`");
  }
  const reading = <T>(kinds: readonly Kind[], wanted: (message: Message) => T | undefined, given: RecordsOptions) => {
    const { cameras, since } = given;
    oneOf("kinds", kinds, KINDS);
    if (cameras !== undefined && !cameras.every((id) => /^[^/+#,\s]+$/.test(id)))
      throw bad("cameras", "ids of cameras");
    if (given.buffer !== undefined && !(Number.isInteger(given.buffer) && given.buffer > 0)) {
      throw bad("buffer", "a whole number from 1 on");
    }
    return new Subscription(
      source,
      { kinds, cameras: filled("cameras", cameras), since: time("since", since) },
      wanted,
      given,
    );
  };
  const request = async (body: Request, { signal, timeoutMs = 30_000 }: AskOptions = {}): Promise<Reply> => {
    if (broker === undefined) {
      throw new BlikkError(
        "no_mqtt",
        "requests go over MQTT: give `mqtt: {url, node}` with the broker and the node's id",
      );
    }
    signal?.throwIfAborted();
    const answer = await requested(broker, body, { signal: signal ?? new AbortController().signal, timeoutMs });
    const reply = answer as Reply;
    if (!reply.ok) throw new BlikkError("bad_request", `node ${broker.node}: ${reply.error}`);
    return reply;
  };
  return {
    observations: (given = {}) => {
      const kinds = filled("kinds", given.kinds);
      const labels = filled("labels", given.labels);
      oneOf("labels", labels ?? [], LABELS);
      oneOf("kinds", kinds ?? [], OBSERVATION_KINDS);
      const wanted = (message: Message) => {
        if (message.kind !== "observation") return undefined;
        const { content } = message;
        const fits = labels === undefined || content.objects.some(({ label }) => labels.includes(label));
        return fits && (kinds === undefined || kinds.includes(content.kind)) ? content : undefined;
      };
      return reading(["observation"], wanted, given);
    },
    events: (given = {}) => {
      const labels = filled("labels", given.labels);
      oneOf("labels", labels ?? [], LABELS);
      const wanted = (message: Message) => {
        if (message.kind !== "event") return undefined;
        return labels === undefined || labels.includes(message.content.label) ? message.content : undefined;
      };
      return reading(["event"], wanted, given);
    },
    records: <K extends Kind>(given: MessagesOptions<K> = {}) => {
      const kinds: readonly Kind[] = filled("kinds", given.kinds) ?? RECORDS;
      return reading(kinds, (message) => message as Message<K>, given);
    },
    ask: async (question, { camera, since, until, ...given } = {}) =>
      request({ do: "ask", question, ...period(camera, since, until) }, given),
    search: async (query, { camera, since, until, limit, ...given } = {}) => {
      const most = limit === undefined ? {} : { limit };
      return (await request({ do: "search", query, ...most, ...period(camera, since, until) }, given)).found ?? [];
    },
    request,
  };
}

const LABELS: readonly Label[] = ["person", "vehicle", "animal", "package"];
/** Every one: a kind that is missing here, or too many, does not compile. */
const OBSERVATION_KINDS = Object.keys({
  motion: 1,
  scene: 1,
  appeared: 1,
  left: 1,
  entered_zone: 1,
  left_zone: 1,
  loitering: 1,
  still: 1,
  moving: 1,
  recount: 1,
  measure: 1,
  alert: 1,
  alert_ended: 1,
} satisfies Record<ObservationKind, 1>) as ObservationKind[];

function period(camera?: string, since?: string | Date, until?: string | Date): Omit<Request, "do"> {
  const [from, to] = [time("since", since), time("until", until)];
  return {
    ...(camera === undefined ? {} : { camera }),
    ...(from === undefined ? {} : { since: from }),
    ...(to === undefined ? {} : { until: to }),
  };
}

function bad(option: string, what: string): BlikkError {
  return new BlikkError("bad_request", `\`${option}\` must be ${what}`);
}

function filled<T>(option: string, words: readonly T[] | undefined): readonly T[] | undefined {
  if (words !== undefined && words.length === 0) throw bad(option, "left out to get all: it is empty");
  return words;
}

function oneOf(option: string, words: readonly string[], known: readonly string[]): void {
  if (!words.every((word) => known.includes(word))) throw bad(option, `of ${known.join(", ")}`);
}

function time(option: string, given: string | Date | undefined): string | undefined {
  if (given === undefined || typeof given === "string") return given;
  if (Number.isNaN(given.getTime())) throw bad(option, "a time: this Date has none");
  return given.toISOString();
}
