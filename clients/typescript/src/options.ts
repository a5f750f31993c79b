/** What a program may say: where the node is, and what it wants of it. */

import type { Kind, Label, ObservationKind } from "./messages.js";
import type { ReadingOptions } from "./subscription.js";

/** Where the node is: `url` and `token` for records over a WebSocket, `mqtt` for requests, and for records without `url`. */
export interface BlikkOptions {
  /** Of the node's WebSocket, as `ws://127.0.0.1:8428`. */
  readonly url?: string | undefined;
  /** `http.tokens.view` of the node. */
  readonly token?: string | undefined;
  /** In Node: the CA to trust for `wss://`, PEM. */
  readonly tls?: { readonly ca?: Pem } | undefined;
  readonly mqtt?: MqttOptions | undefined;
}

export interface RecordsOptions extends ReadingOptions {
  /** Ids of cameras. Default: all. */
  readonly cameras?: readonly string[] | undefined;
  /** Where to take up, over the WebSocket: a `cursor`, or a time (ISO 8601). Default: from now on. */
  readonly since?: string | Date | undefined;
}

export interface ObservationsOptions extends RecordsOptions {
  /** What they are about. Default: anything. */
  readonly kinds?: readonly ObservationKind[] | undefined;
  /** Only observations with an object of one of these. Default: all, also those without an object. */
  readonly labels?: readonly Label[] | undefined;
}

export interface EventsOptions extends RecordsOptions {
  /** Only events of these. Default: all. */
  readonly labels?: readonly Label[] | undefined;
}

export interface MessagesOptions<K extends Kind> extends RecordsOptions {
  /** Default: the kinds of records. Of `state`, `status` and `health` the newest comes at once. */
  readonly kinds?: readonly K[] | undefined;
}

export interface AskOptions {
  /** Ends it; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long an answer may take. Default: 30 s; a language model may need more. */
  readonly timeoutMs?: number | undefined;
}

export interface QuestionOptions extends AskOptions {
  /** The id of one camera. */
  readonly camera?: string | undefined;
  readonly since?: string | Date | undefined;
  readonly until?: string | Date | undefined;
}

export interface SearchOptions extends QuestionOptions {
  /** How many are given at most. Default: 10, at most 100. */
  readonly limit?: number | undefined;
}

export interface MqttOptions {
  /** Of the broker: `mqtt://host`, `mqtts://host`, in a browser `wss://host`. */
  readonly url: string;
  /** The node's id. */
  readonly node: string;
  /** What the topics of all nodes begin with, `mqtt.prefix` in blikk.yaml. Default: `blikk`. */
  readonly prefix?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** In Node: the CA to trust, and a certificate of one's own with its key, PEM. */
  readonly tls?: { readonly ca?: Pem; readonly cert?: Pem; readonly key?: Pem } | undefined;
}

export type Pem = string | Uint8Array;
