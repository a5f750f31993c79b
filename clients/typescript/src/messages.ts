/** The messages as a reader gets them: the generated types, with what belongs together joined. */

import type * as contract from "./contract.js";

export type {
  Answer,
  Ask,
  BlikkEvent,
  Health,
  Measure,
  Observation,
  Ring,
  Sighting,
  State,
  Summary,
} from "./contract.js";

export type Label = contract.Sighting["label"];
/** What an observation is about. */
export type ObservationKind = contract.Observation["kind"];
export type Kind = contract.Envelope["kind"];
/** Kinds of records, which are numbered. Of the others, statuses, the newest counts. */
export type RecordKind = (typeof RECORDS)[number];

export const RECORDS = ["observation", "event", "ring", "summary", "answer", "withdrawn"] as const;
export const KINDS = [...RECORDS, "state", "status", "health"] as const satisfies readonly Kind[];

interface Contents {
  observation: contract.Observation;
  event: contract.BlikkEvent;
  ring: contract.Ring;
  summary: contract.Summary;
  answer: contract.Answer;
  /** What the topic showed is to be forgotten. */
  withdrawn: null;
  state: contract.State;
  status: "online" | "offline";
  health: contract.Health;
}

type Head = Omit<contract.Envelope, "content" | "kind">;

/** One message; `kind` says which type its `content` has. */
export type Message<K extends Kind = Kind> = { [P in K]: Head & { kind: P; content: Contents[P] } }[K];

/** A past event as replies list it. */
export type ListedEvent = contract.BlikkEvent & { summary: contract.Summary | null };

/** The answer to a request. */
export type Reply = Omit<contract.Reply, "events" | "summary"> & {
  events: ListedEvent[];
  summary: contract.Summary | null;
};

/** What a search has found. */
export type Found = NonNullable<contract.Reply["found"]>[number];

/** Messages that are missing, reported at the place where they are. */
export interface Gap {
  /**
   * - `slow`: the reader was slower than they came, and the buffer was full
   * - `expired`: the node did not keep them until the connection was back
   * - `restarted`: the node was restarted; observations of the time between are gone, events are told again
   * - `skipped`: the node's numbers do not follow each other
   * - `session`: the broker did not keep them until the connection was back
   */
  readonly reason: "expired" | "restarted" | "session" | "skipped" | "slow";
  /** How many are missing at least; null: nobody knows. */
  readonly missing: number | null;
}
