/** The WebSocket of a browser. It cannot send Authorization, so the token is one of the protocols that it offers. */

import { BlikkError } from "./errors.js";
import { ended, OPEN_MS, type OpenSocket, PROTOCOL } from "./socket.js";

const REFUSED =
  "the browser does not say why it did not connect: see whether the node runs, the token is right, the page's origin is " +
  "in `http.origins`, the host's name in `http.names`, and its certificate is trusted";

export const openSocket: OpenSocket = ({ url, who, token }, onText, signal) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url, [PROTOCOL, `bearer.${base64url(token)}`]);
    let failed: unknown;
    let open = false;
    const finish = (settle: () => void) => {
      clearTimeout(opening);
      signal.removeEventListener("abort", abort);
      socket.onmessage = null;
      socket.onclose = null;
      socket.onerror = null;
      socket.close();
      settle();
    };
    const abort = () => finish(resolve);
    const opening = setTimeout(() => finish(() => reject(new BlikkError("timeout", `${who}: ${REFUSED}`))), OPEN_MS);
    signal.addEventListener("abort", abort);
    socket.onopen = () => {
      open = true;
      clearTimeout(opening);
    };
    socket.onmessage = ({ data }) => {
      try {
        onText(String(data));
      } catch (error) {
        failed = error;
        finish(() => reject(failed));
      }
    };
    const refused = () => finish(() => reject(new BlikkError("refused", `${who}: ${REFUSED}`)));
    socket.onerror = () => {
      if (!open) refused();
    };
    socket.onclose = ({ code, reason }) => (open ? finish(() => reject(ended(code, reason, who))) : refused());
    if (signal.aborted) abort();
  });

function base64url(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
