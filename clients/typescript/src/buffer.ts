/** What has come and was not read yet: bounded, for one reader. The oldest goes first, and it is counted. */

import type { Gap } from "./messages.js";

interface Entry<T> {
  item: T;
  /** What is missing before it. */
  gaps: Gap[];
  /** How many went before it for want of room. */
  dropped: number;
}

export class Buffer<T> {
  /** How many went for want of room, in all. */
  dropped = 0;

  readonly #room: number;
  readonly #entries = new Map<number, Entry<T>>();
  #first = 0;
  #next = 0;
  #gaps: Gap[] = [];
  #ended = false;
  #error: unknown;
  #wake: () => void = () => {};

  constructor(room: number) {
    this.#room = room;
  }

  put(item: T): void {
    if (this.#ended) return;
    this.#entries.set(this.#next++, { item, gaps: this.#gaps, dropped: 0 });
    this.#gaps = [];
    if (this.#entries.size > this.#room) this.#drop();
    this.#wake();
  }

  /** Note what is missing before the next item. */
  gap(gap: Gap): void {
    this.#gaps.push(gap);
    this.#wake();
  }

  /** No more comes. With an error it is thrown after what is there was read; without one that is not read either. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    if (error === undefined) this.#entries.clear();
    this.#wake();
  }

  /** The next item, as soon as it is there; undefined at the end. `report` is told of gaps where they are. */
  async take(report: (gap: Gap) => void): Promise<{ item: T } | undefined> {
    for (;;) {
      const entry = this.#entries.get(this.#first);
      if (entry !== undefined) {
        this.#entries.delete(this.#first++);
        if (entry.dropped > 0) report({ reason: "slow", missing: entry.dropped });
        entry.gaps.forEach(report);
        return entry;
      }
      this.#gaps.splice(0).forEach(report);
      if (this.#ended) return this.#last();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What comes after the last item: the error, once, or nothing. */
  #last(): undefined {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
  }

  #drop(): void {
    const gone = this.#entries.get(this.#first);
    this.#entries.delete(this.#first++);
    const next = this.#entries.get(this.#first);
    if (gone === undefined || next === undefined) return;
    next.dropped += gone.dropped + 1;
    next.gaps.unshift(...gone.gaps);
    this.dropped += 1;
  }
}
