/** What a WebSocket must do for us, in Node and in browsers. */

import { BlikkError, type ErrorCode } from "./errors.js";

export interface SocketOptions {
  /** The whole address, with what is asked for. */
  readonly url: string;
  /** The address as errors name it. */
  readonly who: string;
  readonly token: string;
  /** In Node: certificates of CAs to trust, PEM; a browser has its own. */
  readonly ca?: string | Uint8Array | undefined;
  /** In Node: the connection counts as lost after that long without a message or a ping of the node. */
  readonly silenceMs: number;
}

/**
 * Hands on texts until the connection ends, which throws a BlikkError, or the signal, which does not.
 * An error of `onText` ends the connection and is thrown.
 */
export type OpenSocket = (options: SocketOptions, onText: (text: string) => void, signal: AbortSignal) => Promise<void>;

/** The protocol of the WebSocket. */
export const PROTOCOL = "blikk.v1";
export const OPEN_MS = 10_000;

const STATUSES: Record<number, ErrorCode> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  421: "wrong_host",
  429: "full",
  503: "full",
};

/** What an answer means that is no WebSocket; `said` is what the node writes about it. */
export function refusal(status: number, said: string, who: string): BlikkError {
  const code = STATUSES[status] ?? (status >= 500 ? "unreachable" : "not_found");
  const what =
    words(said).trim().replaceAll(/\s+/g, " ").slice(0, 300) || "no records are there; see whether it is a node";
  return new BlikkError(code, `${who}: HTTP ${status}: ${what}`);
}

/** The text of a node's answer, which is JSON; what anybody else writes is taken as it is. */
function words(said: string): string {
  try {
    return String((JSON.parse(said) as { error: unknown }).error);
  } catch {
    return said;
  }
}

/** What the end of a connection means. */
export function ended(code: number, reason: string, who: string): BlikkError {
  const why = reason || (code === 1006 ? "the connection was lost" : `the connection ended (${code})`);
  if (code === 1013)
    return new BlikkError("full", `${who}: too many subscribers; raise \`sinks.websocket.connections\``);
  return new BlikkError(code === 1002 || code === 1003 || code === 1007 ? "protocol" : "unreachable", `${who}: ${why}`);
}
