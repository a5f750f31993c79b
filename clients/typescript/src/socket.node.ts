/** The WebSocket in Node, by the package `ws`: its own has no headers. */

import { WebSocket } from "ws";
import { networkError } from "./errors.js";
import { ended, OPEN_MS, type OpenSocket, refusal } from "./socket.js";

const LONGEST_BYTES = 16_000_000;
const REFUSAL_BYTES = 1000;

export const openSocket: OpenSocket = (options, onText, signal) => {
  const { url, who, token, ca, silenceMs } = options;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      headers: { Authorization: `Bearer ${token}` },
      handshakeTimeout: OPEN_MS,
      maxPayload: LONGEST_BYTES,
      perMessageDeflate: false,
      ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : globalThis.Buffer.from(ca) }),
    });
    let failed: unknown;
    const fail = (error: unknown) => {
      failed ??= error;
      socket.terminate();
    };
    const lost = () => fail(ended(1006, `nothing came for ${Math.round(silenceMs / 1000)} s`, who));
    let silence: NodeJS.Timeout | undefined;
    const abort = () => {
      // a closing handshake would keep a program waiting that has ended its loop
      if (socket.readyState === WebSocket.OPEN) socket.close(1000);
      socket.terminate();
    };
    signal.addEventListener("abort", abort);
    socket.on("open", () => {
      silence = setTimeout(lost, silenceMs);
    });
    socket.on("ping", () => silence?.refresh());
    socket.on("message", (data) => {
      silence?.refresh();
      if (failed !== undefined || signal.aborted) return;
      try {
        onText(String(data));
      } catch (error) {
        fail(error);
      }
    });
    socket.on("unexpected-response", (request, response) => {
      let said = "";
      const refuse = () => {
        fail(refusal(response.statusCode ?? 0, said, who));
        request.destroy();
      };
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        said = (said + text).slice(0, REFUSAL_BYTES);
      });
      response.on("end", refuse);
      response.on("error", refuse);
    });
    socket.on("error", (error) => {
      failed ??= networkError(error, who);
    });
    socket.on("close", (code, reason) => {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
      if (signal.aborted) resolve();
      else reject(failed ?? ended(code, reason.toString(), who));
    });
    if (signal.aborted) abort();
  });
};
