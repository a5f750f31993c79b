/** What a way to the records must do: over a WebSocket, or over MQTT. */

import type { Attempt } from "./backoff.js";
import type { Gap, Kind, Message } from "./messages.js";

/** What is asked for. */
export interface Wish {
  readonly kinds: readonly Kind[];
  /** Ids; undefined: all. */
  readonly cameras: readonly string[] | undefined;
  /** A cursor, or a time in ISO 8601; undefined: from now on. */
  readonly since: string | undefined;
}

/** Where messages go, and what is missing between them. */
export interface Receiver {
  put(message: Message): void;
  gap(gap: Gap): void;
}

/** Makes what connects once, and again and again, for one reader. */
export type Source = (wish: Wish, receiver: Receiver, wait: boolean) => Attempt;
