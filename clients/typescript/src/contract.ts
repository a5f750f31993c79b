// Written by `npm run types` from contract/schemas, whose SHA-256 is
// 1f4c1130cc4fd1a78012d0c4359b86fa231ca6cca5207360c608dba704d91754

/**
 * ISO 8601, UTC, milliseconds
 */
export type Time = string;

/**
 * Every schema by its name
 */
export interface Contract {
  announce: Announce;
  answer: Answer;
  ask: Ask;
  claim: Claim;
  envelope: Envelope;
  event: BlikkEvent;
  health: Health;
  hello: Hello;
  observation: Observation;
  reply: Reply;
  ring: Ring;
  state: State;
  summary: Summary;
}
/**
 * Who a node is
 */
export interface Announce {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  protocol: 1;
  id: string;
  name: string;
  version: string;
  cameras: {
    id: string;
    name: string;
    labels: ("person" | "vehicle" | "animal" | "package")[];
    zones: string[];
    /**
     * Whether a doorbell button belongs to it
     */
    ring: boolean;
    /**
     * What is watched at it; answers lie on <camera>/answer/<id>
     */
    questions: {
      id: string;
      question: string;
      kind: "yes_no" | "text";
    }[];
    /**
     * What is measured at it; newest values are in `<camera>/state`. Left out where nothing is
     */
    measures?: {
      name: string;
      /**
       * A unit of Home Assistant
       */
      unit: string | null;
      /**
       * One of Home Assistant's for sensors
       */
      device_class: string | null;
      /**
       * What may be wrong with it
       */
      alerts: string[];
    }[];
    /**
     * What it watches for in words; whether each is there is in `<camera>/state`. Left out where there are none
     */
    concepts?: {
      id: string;
      text: string;
    }[];
  }[];
  /**
   * What this node can do; unknown words are ignored
   */
  capabilities: string[];
  /**
   * The ways of writing summaries that can be switched to; empty: none are written
   */
  summaries: ("off" | "template" | "text" | "vision")[];
  urls: {
    /**
     * Where redacted pictures of past events can be had over HTTP
     */
    media?: string;
    /**
     * Where the node's pages, its API and with `live` in `capabilities` its live view are. Left out where it has none
     */
    http?: string;
  };
}
/**
 * The present answer to a watched question
 */
export interface Answer {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  id: string;
  camera: string;
  /**
   * Its id
   */
  question: string;
  /**
   * The question itself
   */
  asked: string;
  /**
   * yes, no, unknown, or text
   */
  answer: string;
  confidence: number;
  /**
   * When this answer was last given
   */
  time: string;
  /**
   * When it was first given
   */
  since: string;
  /**
   * It differs from the answer before
   */
  changed: boolean;
  evidence: string;
  event: string | null;
  /**
   * template: no model, the model was not to be had, or its text was not supported by what was seen
   */
  source: "llm" | "template";
  model: string | null;
  /**
   * What the model was sent and wrote; 0 without a model
   */
  tokens: {
    input: number;
    output: number;
  };
}
/**
 * A request with an answer
 */
export interface Ask {
  do?: "ask" | "events" | "describe" | "digest" | "forget" | "mark" | "search" | "check";
  question?: string;
  /**
   * For search: words for what was seen, as `red car`
   */
  query?: string;
  camera?: string;
  /**
   * For describe, events, forget, mark and check; for mark also the id of a ring
   */
  event?: string;
  /**
   * For mark: what is kept with the event; empty or left out takes it away
   */
  mark?: string;
  /**
   * For check: the title of what was written about the event
   */
  title?: string;
  /**
   * For check: what was written about the event
   */
  text?: string;
  /**
   * For check: whether the writer saw a redacted picture of it, so that looks may be described
   */
  pictures?: boolean;
  /**
   * For check: the tag of the language it is written in, as de or pt-BR; the household's if left out
   */
  language?: string;
  /**
   * For check: what title and text say, by their writer's own account. Languages without words of their own cannot be checked without
   */
  said?: {
    /**
     * How many of each it speaks of; 0: none. All four are wanted where the words of the language are not known
     */
    counts?: {
      [k: string]: number;
    };
    rings?: number;
    /**
     * The times in it, as 14:05
     */
    times?: string[];
  };
  /**
   * For events
   */
  label?: "person" | "vehicle" | "animal" | "package";
  /**
   * For events
   */
  zone?: string;
  since?: string | number;
  until?: string | number;
  /**
   * For events; 100 if left out. For search at most 100; 10 if left out
   */
  limit?: number;
  /**
   * For MQTT 3.1.1; v5's property counts first. Begins with blikk/<node>/reply/
   */
  response_topic?: string;
  correlation?: string;
}
/**
 * Whatever is retained on the topic is a claim, also what does not follow this schema; then it tells nothing of the household.
 */
export interface Claim {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  /**
   * Who claims: the instance id of Home Assistant
   */
  by: string;
  mode: "integration";
  /**
   * The household's time zone, an IANA name like Europe/Berlin
   */
  timezone?: string;
  /**
   * The household's language, a tag like de or pt-BR
   */
  language?: string;
}
/**
 * What MQTT carries, in an envelope
 */
export interface Envelope {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  /**
   * What `content` is; the first six are records, which are numbered
   */
  kind: "observation" | "event" | "ring" | "summary" | "answer" | "withdrawn" | "state" | "status" | "health";
  /**
   * null for what is of the whole node
   */
  camera: string | null;
  /**
   * Where the same is published on MQTT
   */
  topic: string;
  /**
   * The run in which records are numbered; null for what has no number: a status, or a record out of the history
   */
  stream: string | null;
  /**
   * The number of the record in the stream, from 1 on without gaps over all records, those included that a filter keeps back
   */
  seq: number | null;
  /**
   * The value of `since` with which a subscriber takes up after this record; on the WebSocket only
   */
  cursor: string | null;
  /**
   * The node that publishes, where the nodes of a site share its cameras; `topic` names the site
   */
  member?: string;
  /**
   * Of a record, where nodes share cameras: grows with each lease of the camera; where two records of one time contradict each other, the higher one holds
   */
  fence?: number;
  /**
   * The JSON of the topic, with the schema of its name; of `status` the text `online` or `offline`; of `withdrawn` null: what the topic showed is to be forgotten
   */
  content: {} | string | null;
}
/**
 * One revision of one event
 */
export interface BlikkEvent {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  /**
   * The label; loitering in the revision that reports it, package_taken in the one that reports that a parcel was taken
   */
  event_type: "person" | "vehicle" | "animal" | "package" | "loitering" | "package_taken";
  /**
   * The same in every revision
   */
  id: string;
  camera: string;
  phase: "started" | "updated" | "ended";
  /**
   * Counts from 1
   */
  revision: number;
  label: "person" | "vehicle" | "animal" | "package";
  /**
   * What changed
   */
  reason:
    | "motion"
    | "scene"
    | "appeared"
    | "left"
    | "entered_zone"
    | "left_zone"
    | "loitering"
    | "still"
    | "moving"
    | "recount";
  /**
   * Capture time behind this revision
   */
  time: string;
  started: Time;
  ended: Time | null;
  duration_s: number;
  /**
   * Objects in `objects` by label, before it was shortened
   */
  counts: {
    [k: string]: number;
  };
  /**
   * Most objects seen at once
   */
  peak: number;
  /**
   * All zones touched so far
   */
  zones: string[];
  loitering: boolean;
  /**
   * Name of the picture topic that goes with it
   */
  picture: string | null;
  objects: Sighting[];
  /**
   * Present and true in the end of an event that went on when the node ended, as by a power cut: `ended` is when it was last seen
   */
  interrupted?: true;
  /**
   * Present and true when the record waited through an outage
   */
  replayed?: true;
  /**
   * In replies only, and only where the household marked it: what was said of it
   */
  mark?: string;
  /**
   * Present in the revision that reports that a parcel was left behind, or taken
   */
  change?: "left_behind" | "taken";
  /**
   * Goes with `change`: who was near then, not that they did it; null where nobody was seen
   */
  near?: {
    label: "person" | "vehicle" | "animal" | "package";
    /**
     * How near in place and time: 1 where they covered it just then
     */
    score: number;
    /**
     * The id of their event; null where none was reported
     */
    event: string | null;
  } | null;
}
/**
 * One tracked object
 */
export interface Sighting {
  /**
   * The same object keeps its number
   */
  track: number;
  label: "person" | "vehicle" | "animal" | "package";
  /**
   * The detector's own class
   */
  sub_label: string;
  score: number;
  /**
   * x1, y1, x2, y2 as shares of the picture, origin top left
   *
   * @minItems 4
   * @maxItems 4
   */
  box: [number, number, number, number];
  /**
   * ISO 8601, UTC, milliseconds
   */
  since: string;
  dwell_s: number;
  still: boolean;
  zones: string[];
}
/**
 * How the process and the machine are doing
 */
export interface Health {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  time: Time;
  uptime_s: number;
  /**
   * Percent of one core
   */
  cpu_percent: number;
  rss_bytes: number;
  temperature_c: number | null;
  inference_ms: number | null;
  /**
   * Frames per second by camera.
   */
  fps: {
    [k: string]: number;
  };
  /**
   * Records waiting for the broker
   */
  outbox: number;
  /**
   * Records that no longer fitted into the outbox
   */
  lost: number;
  /**
   * Frames by reason since start
   */
  dropped: {
    [k: string]: number;
  };
  /**
   * A sentence for each thing that is wrong
   */
  problems: string[];
  /**
   * The language model and its budget; null without one
   */
  llm: null | {
    model: string;
    phase: "ready" | "resting" | "over_budget" | "refused";
    calls_today: number;
    tokens_today: number;
    /**
     * null: no limit
     */
    calls_left: number | null;
    tokens_left: number | null;
    /**
     * In currency; null without prices
     */
    cost_today: number | null;
    currency: string | null;
    waiting: number;
    problem: string | null;
  };
  /**
   * Frames that added steps were not given because they took too long, by step; `search`: looks at what appeared for which there was no time; left out where there are none
   */
  skipped?: {
    [k: string]: number;
  };
}
/**
 * The first message on the WebSocket
 */
export interface Hello {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  kind: "hello";
  /**
   * The node's id
   */
  node: string;
  /**
   * The run in which records are numbered; another one after a restart
   */
  stream: string;
  /**
   * The number of the newest record; 0 where there is none
   */
  seq: number;
  /**
   * What is sent
   */
  kinds: ("observation" | "event" | "ring" | "summary" | "answer" | "withdrawn" | "state" | "status" | "health")[];
  /**
   * Of which cameras; null: of all
   */
  cameras: string[] | null;
  /**
   * Whether all records since `since` are sent; where not, those of the history are. null without `since`
   */
  complete: boolean | null;
  /**
   * The value of `since` with which a subscriber takes up that came without one and has been sent no record yet; null with `since`
   */
  cursor: string | null;
}
/**
 * What changed in front of one camera
 */
export interface Observation {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  id: string;
  camera: string;
  kind:
    | "motion"
    | "scene"
    | "appeared"
    | "left"
    | "entered_zone"
    | "left_zone"
    | "loitering"
    | "still"
    | "moving"
    | "recount"
    | "measure"
    | "alert"
    | "alert_ended";
  /**
   * ISO 8601, UTC, milliseconds
   */
  time: string;
  /**
   * ISO 8601, UTC, milliseconds
   */
  until: string;
  /**
   * Motion score
   */
  score: number;
  objects: Sighting[];
  zones: string[];
  /**
   * Id of the event it belongs to
   */
  event: string | null;
  /**
   * How many similar observations this one stands for
   */
  folded: number;
  embedding?: number[];
  /**
   * Present and true when the record waited through an outage
   */
  replayed?: true;
  /**
   * What `kind` `measure` or of an alert is about; an alert is about one. Left out otherwise
   */
  measures?: Measure[];
  /**
   * Present where `search` is on: what the objects that appeared, or the whole picture, looked like in the redacted picture
   */
  appearances?: {
    /**
     * Of the object in `objects`; null: the whole picture
     */
    track: number | null;
    label: "person" | "vehicle" | "animal" | "package" | null;
    /**
     * The detector's own class; empty: the whole picture
     */
    sub_label: string;
    /**
     * The dominant ones, the largest first
     */
    colours: (
      "black" | "white" | "grey" | "red" | "orange" | "brown" | "yellow" | "green" | "blue" | "purple" | "pink"
    )[];
    /**
     * Left out where no model could be asked, or there was no time
     */
    embedding?: {
      /**
       * Only embeddings of the same model can be compared
       */
      model: string;
      /**
       * Numbers of unit length together: IEEE 754 half precision, little endian, base64
       */
      float16: string;
    };
  }[];
  /**
   * Present where the objects are parcels that were left behind (`appeared`) or taken (`left`)
   */
  change?: "left_behind" | "taken";
}
/**
 * A number that was read from the picture
 */
export interface Measure {
  name: string;
  value: number;
  /**
   * A unit of Home Assistant
   */
  unit: string | null;
  /**
   * Where it was read: x1, y1, x2, y2 as shares of the picture
   *
   * @minItems 4
   * @maxItems 4
   */
  box: [number, number, number, number] | null;
  /**
   * What is wrong with it; of `alert_ended` what is so no more
   */
  alert: string | null;
  /**
   * Which one was measured, where things come by one after the other; each has alerts of its own
   */
  item?: number;
}
/**
 * The answer to a request
 */
export interface Reply {
  v: 1;
  ok: boolean;
  /**
   * What was wrong and how to mend it
   */
  error: string | null;
  /**
   * As in the request's JSON
   */
  correlation: string | null;
  /**
   * The answer in words; where a question was not understood, that and examples
   */
  text: string | null;
  /**
   * What was counted: of `ask` objects (each visit with the most it had at once), visits or presses of the doorbell; of `events` those that follow; of `forget` events removed; of `search` those that follow
   */
  count: number | null;
  /**
   * How the question was understood; null where it was not, and for other requests
   */
  query: null | {
    measure:
      | "count"
      | "visits"
      | "list"
      | "any"
      | "first"
      | "last"
      | "longest"
      | "duration"
      | "most_at_once"
      | "staying"
      | "present";
    /**
     * Empty: all, here and below
     */
    labels: ("person" | "vehicle" | "animal" | "package")[];
    /**
     * The detector's own classes, as cat
     */
    kinds: string[];
    cameras: string[];
    zone: string | null;
    since: null | string;
    until: null | string;
    loitering: boolean;
    /**
     * Only what goes on now
     */
    ongoing: boolean;
    /**
     * Presses of the doorbell instead of events
     */
    rings: boolean;
    /**
     * Of parcels, and only where the question asks so: what happened to them within the period
     */
    change?: "left_behind" | "taken";
    min_duration_s: number;
  };
  /**
   * Items: As in event.json, with its summary (as in summary.json) or null
   */
  events: {
    summary?: {} | null;
  }[];
  /**
   * Of `events`: presses of the doorbell in that period, newest first; of `mark`: the ring that was marked
   */
  rings?: {
    id: string;
    camera: string;
    time: string;
    /**
     * Only where the household marked it: what was said of it
     */
    mark?: string;
  }[];
  /**
   * Of `events` with `since`: when a camera was not watched, so that nothing is known
   */
  gaps?: {
    /**
     * Null: the node did not run, and heard no doorbell
     */
    camera: string | null;
    since: string;
    until: string;
  }[];
  /**
   * Of `check` alone: how far what was written could be checked, and is supported by what was observed
   */
  checked?: "whole" | "partly";
  /**
   * Of `check` alone, where it is refused for what was written: the words that nothing observed supports, each with why
   */
  unsupported?: string[];
  /**
   * As in summary.json
   */
  summary: {} | null;
  source: "llm" | "template";
  model: string | null;
  tokens: {
    input: number;
    output: number;
  };
  /**
   * Of `search` alone: what was found, the best first
   */
  found?: {
    /**
     * Id of the observation that it came with
     */
    observation: string;
    event: string | null;
    camera: string;
    time: string;
    /**
     * Null: a whole picture
     */
    label: "person" | "vehicle" | "animal" | "package" | null;
    sub_label: string;
    colours: string[];
    /**
     * Whether a model compared words and picture, or label and dominant colours are those of the words
     */
    by: "concept" | "colour";
    /**
     * The cosine of words and picture; null by colour
     */
    score: number | null;
    /**
     * Ids in the picture API, the nearest in time first
     */
    pictures: string[];
  }[];
}
/**
 * Somebody pressed the doorbell
 */
export interface Ring {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  event_type: "ring";
  id: string;
  camera: string;
  time: Time;
  via: "gpio" | "http" | "mqtt" | "onvif";
  /**
   * Present and true when the record waited through an outage
   */
  replayed?: true;
}
/**
 * What one camera sees now, and its settings
 */
export interface State {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  online: boolean;
  motion: boolean;
  /**
   * Motion score
   */
  score: number;
  /**
   * Objects present by label; every label is there
   */
  counts: {
    [k: string]: number;
  };
  /**
   * Objects present by zone
   */
  zones: {
    [k: string]: number;
  };
  /**
   * Objects present by zone and label; only what is there. In `announce` the capability `zone_counts`
   */
  zone_counts: {
    [k: string]: {
      [k: string]: number;
    };
  };
  fps: number;
  inference_ms: number | null;
  last_frame_age_s: number | null;
  frames: number;
  inferences: number;
  restarts: number;
  /**
   * Frames by reason since start
   */
  dropped: {
    [k: string]: number;
  };
  /**
   * Answer to `set/detect`
   */
  detect: boolean;
  /**
   * Answer to `set/threshold`
   */
  threshold: number;
  /**
   * A sentence while something is wrong
   */
  problem: string | null;
  /**
   * Host and port where the camera was found; left out where it is where its configuration says
   */
  address?: string;
  /**
   * What summaries are made of
   */
  summary: "off" | "template" | "text" | "vision";
  /**
   * The newest values, by name; left out where there are none. What was not measured for a minute is gone
   */
  measures?: {
    [k: string]: {
      value: number;
      /**
       * A unit of Home Assistant
       */
      unit: string | null;
      /**
       * What is wrong with it now
       */
      alert: string | null;
    };
  };
  /**
   * Frames that added steps were not given because they took too long, by step; `search`: looks at what appeared for which there was no time; left out where there are none
   */
  skipped?: {
    [k: string]: number;
  };
  /**
   * Present where concepts are watched for: whether each is there now, by id
   */
  concepts?: {
    [k: string]: boolean;
  };
}
/**
 * Text about one event or one period
 */
export interface Summary {
  /**
   * Protocol; readers ignore fields they do not know
   */
  v: 1;
  id: string;
  /**
   * null: the whole node
   */
  camera: string | null;
  /**
   * null: a period
   */
  event: string | null;
  /**
   * 1 early, 2 final; a period has 1 only
   */
  revision: number;
  /**
   * ISO 8601, UTC, milliseconds
   */
  time: string;
  /**
   * ISO 8601, UTC, milliseconds
   */
  since: string;
  until: Time;
  title: string;
  text: string;
  importance: "low" | "normal" | "high";
  labels: ("person" | "vehicle" | "animal" | "package")[];
  /**
   * template: no model, the model was not to be had, or its text was not supported by what was seen
   */
  source: "llm" | "template";
  model: string | null;
  /**
   * What the model was sent and wrote; 0 without a model
   */
  tokens: {
    input: number;
    output: number;
  };
  /**
   * How many redacted pictures the model was shown
   */
  pictures: number;
  /**
   * How far the text was held against what was observed; partly: a language model wrote it in a language of which no words are known here, and only its numbers and times were
   */
  checked: "whole" | "partly";
}
