/** What a reader holds: an async iterator that connects when it is first asked, and ends with the loop. */

import { attempts } from "./backoff.js";
import { Buffer } from "./buffer.js";
import type { BlikkError } from "./errors.js";
import type { Gap, Message } from "./messages.js";
import type { Source, Wish } from "./source.js";

export interface ReadingOptions {
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** How many messages wait for a slow reader; then the oldest goes. Default: 1000. */
  readonly buffer?: number | undefined;
  /** Whether a node that cannot be reached at first is waited for, as one that goes later is. Default: no. */
  readonly wait?: boolean | undefined;
  /** Told what is missing, at the place where it is. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  /** Told each time the connection is there. */
  readonly onConnect?: (() => void) | undefined;
  /** Told why there is no connection now, and when the next is tried. */
  readonly onRetry?: ((error: BlikkError, pauseMs: number) => void) | undefined;
}

export class Subscription<T> implements AsyncIterableIterator<T, undefined> {
  /** How many gaps were reported. */
  gaps = 0;

  readonly #buffer: Buffer<{ cursor: string | null; value: T }>;
  readonly #stop = new AbortController();
  readonly #start: () => Promise<void>;
  readonly #onGap: ((gap: Gap) => void) | undefined;
  #cursor: string | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #running: Promise<void> | undefined;

  /** @internal */
  constructor(
    source: Source,
    wish: Wish,
    /** What the reader gets of a message; undefined: nothing. */
    wanted: (message: Message) => T | undefined,
    { signal, buffer = 1000, wait = false, onGap, onConnect, onRetry }: ReadingOptions,
  ) {
    this.#buffer = new Buffer(buffer);
    this.#onGap = onGap;
    const attempt = source(
      wish,
      {
        put: (message) => {
          const value = wanted(message);
          if (value !== undefined) this.#buffer.put({ cursor: message.cursor, value });
        },
        gap: (gap) => this.#buffer.gap(gap),
      },
      wait,
    );
    this.#start = async () => {
      const stop = () => this.#stop.abort();
      const ended = () => this.#buffer.end();
      this.#stop.signal.addEventListener("abort", ended);
      if (signal?.aborted || this.#stop.signal.aborted) {
        this.#buffer.end();
        return;
      }
      signal?.addEventListener("abort", stop);
      try {
        await attempts(attempt, {
          signal: this.#stop.signal,
          wait,
          onConnect: () => this.#tell(() => onConnect?.()),
          onRetry: (error, pauseMs) => this.#tell(() => onRetry?.(error, pauseMs)),
        });
        this.#buffer.end();
      } catch (error) {
        this.#buffer.end(error);
      } finally {
        signal?.removeEventListener("abort", stop);
      }
    };
  }

  /** An error of the reader's own function ends the reading, and is thrown to the reader. */
  #tell(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#buffer.end(error);
      this.#stop.abort();
    }
  }

  /** How many messages were dropped because the reader was too slow. */
  get dropped(): number {
    return this.#buffer.dropped;
  }

  /** The value of `since` with which a later program takes up after what was read last; null where there is none. */
  get cursor(): string | null {
    return this.#cursor;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const result = this.#turn.then(() => this.#next());
    this.#turn = result.catch(() => {});
    return result;
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    this.#running ??= this.#start();
    const taken = await this.#buffer.take((gap) => {
      this.gaps += 1;
      this.#onGap?.(gap);
    });
    if (taken === undefined) return { done: true, value: undefined };
    this.#cursor = taken.item.cursor ?? this.#cursor;
    return { done: false, value: taken.item.value };
  }

  /** Leave; a loop does it when it ends. Done when the connection is closed. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#stop.abort();
    this.#buffer.end();
    await this.#running;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
