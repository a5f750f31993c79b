/** What goes wrong: each error has a code for programs, and a sentence that says what to do about it. */

export type ErrorCode =
  /** an option that cannot be used, or a question that the node does not take */
  | "bad_request"
  /** the certificate of the other side is not trusted, is for another name, or is not valid now */
  | "certificate"
  /** a web page that the node does not let in, or topics that the broker does not let be read */
  | "forbidden"
  /** as many subscribers as the node takes are there */
  | "full"
  /** the package `mqtt` is not installed */
  | "missing_package"
  /** no MQTT broker was named */
  | "no_mqtt"
  /** nothing is at this address, or no such node or camera at this broker */
  | "not_found"
  /** the node does not run */
  | "offline"
  /** what was sent is not this protocol */
  | "protocol"
  /** nobody listens there */
  | "refused"
  /** no answer came in time */
  | "timeout"
  /** the token, or the user and password, is missing or wrong */
  | "unauthorized"
  /** the address cannot be reached, or the connection was lost */
  | "unreachable"
  /** the node answers to other names */
  | "wrong_host";

/** Codes of what mends itself, as when a node is started again. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["full", "offline", "refused", "timeout", "unreachable"]);

/** What the client throws. The token and the password are never part of it. */
export class BlikkError extends Error {
  override readonly name = "BlikkError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Whether trying again later may help, with nothing changed. */
  get passing(): boolean {
    return PASSING.has(this.code);
  }
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;

/** What an error of the network, of Node's TLS or of OpenSSL means; `who` is the address, without anything secret. */
export function networkError(error: unknown, who: string): BlikkError {
  const cause = error instanceof Error ? error : new Error(String(error));
  const code = String((cause as NodeJS.ErrnoException).code ?? "");
  const made = (kind: ErrorCode, what: string) => new BlikkError(kind, `${who}: ${what}`, { cause });
  switch (code) {
    case "ECONNREFUSED":
      return made("refused", "nobody listens there; see whether it runs, and on which port");
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return made("unreachable", "this host name is not known; see how it is written, or write its IP address");
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return made("certificate", "its certificate is for another name; use a name that is in it");
    case "CERT_HAS_EXPIRED":
      return made("certificate", "its certificate has expired; renew it there");
    case "CERT_NOT_YET_VALID":
      return made("certificate", "its certificate is not valid yet; see whether the clocks are right");
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return made("protocol", "it speaks no TLS; use the address without: ws:// for wss://, mqtt:// for mqtts://");
  }
  if (CERTIFICATE.test(code)) {
    return made("certificate", "nobody vouches for its certificate; give its CA with `tls: {ca}`");
  }
  if (/handshake has timed out|connack timeout/i.test(cause.message) || code === "ETIMEDOUT") {
    return made("timeout", "it did not answer in time; see whether the address is right and a firewall lets it pass");
  }
  if (code === "ECONNRESET" || /socket hang up|Parse Error/i.test(cause.message)) {
    return made("unreachable", "it hung up; see whether both speak TLS (wss://, mqtts://) or neither (ws://, mqtt://)");
  }
  return made("unreachable", `the connection failed (${code || cause.message})`);
}
