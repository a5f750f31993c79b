/** Tries again after longer and longer pauses, as long as what went wrong may mend itself. */

import { BlikkError } from "./errors.js";

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/** One attempt: ends when the connection does, by an error, or by `signal` without one. `up` is called once it works. */
export type Attempt = (signal: AbortSignal, up: () => void) => Promise<void>;

export interface Patience {
  signal: AbortSignal;
  /** Whether it may fail at the first time already. */
  wait: boolean;
  /** Told each time it works. */
  onConnect: () => void;
  /** Told of each failure, and of the pause before the next attempt. */
  onRetry: (error: BlikkError, pauseMs: number) => void;
}

/** Attempt until the signal; throws BlikkError where trying again does not help, or where it never worked. */
export async function attempts(attempt: Attempt, { signal, wait, onConnect, onRetry }: Patience): Promise<void> {
  let pauseMs = FIRST_MS;
  let worked = wait;
  while (!signal.aborted) {
    try {
      await attempt(signal, () => {
        worked = true;
        pauseMs = FIRST_MS;
        onConnect();
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof BlikkError && error.passing && worked)) throw error;
      // many clients of one node shall not all come back at the same moment
      const pause = Math.round(pauseMs * (0.5 + Math.random() / 2));
      onRetry(error, pause);
      await sleep(pause, signal);
      pauseMs = Math.min(2 * pauseMs, LONGEST_MS);
    }
  }
}

/** Wait that long, or until the signal. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
