/** What the tests are given, a node as a user starts it, and a network that can be cut. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { connectAsync } from "mqtt";

export interface Settings {
  /** The program `blikk`, and the environment in which it fetches nothing. */
  blikk: string;
  environ: Record<string, string>;
  folder: string;
  /** Every 10 s a visitor comes and goes. */
  clip: string;
  contract: string;
  /** Ports of brokers; that of the second lets in nobody but `user` with `password`. */
  broker: number;
  locked: number;
  /** Ports that are free. */
  port: number;
  nobody: number;
  /** A server's certificate for 127.0.0.1 with its key, and that of its CA; and one that has expired. */
  certificate: string;
  key: string;
  ca: string;
  expired: string;
  /** How much more patience than on a quiet machine. */
  patience: number;
}

const given = process.env.BLIKK_TEST_SETTINGS;
if (given === undefined) throw new Error("these tests are run by tests/clients/test_typescript.py of the repository");
export const settings = JSON.parse(given) as Settings;
export const TOKEN = "0123456789abcdef";
export const NODE = "hallway";

/** `blikk run` with a camera that sees the clip, and one that sees nothing and has a doorbell. */
export class LiveNode {
  readonly url = `ws://127.0.0.1:${settings.port}`;
  readonly mqtt = { url: `mqtt://127.0.0.1:${settings.broker}`, node: NODE };
  readonly #log = `${settings.folder}/blikk.log`;
  #process: ChildProcess | undefined;

  /** Done when it takes subscribers. */
  async start(): Promise<void> {
    const { folder, broker, port, clip, nobody, blikk, environ } = settings;
    const config = {
      node: NODE,
      mqtt: { host: "127.0.0.1", port: broker },
      store: { path: `${folder}/blikk.db` },
      models: { offline: true, cache: `${folder}/models` },
      search: "colours",
      http: { port, tokens: { view: TOKEN } },
      sinks: { websocket: { keep: 30 } },
      cameras: { gate: { source: clip }, door: { source: `rtsp://127.0.0.1:${nobody}/none`, ring: { http: false } } },
    };
    writeFileSync(`${folder}/blikk.yaml`, JSON.stringify(config)); // which is YAML too
    const log = openSync(this.#log, "a");
    const before = this.#starts;
    const output = ["ignore", log, log] as const;
    this.#process = spawn(blikk, ["run", "--config", `${folder}/blikk.yaml`], { env: environ, stdio: [...output] });
    closeSync(log);
    await until(() => this.#starts > before, "the node", 60_000);
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  get log(): string {
    return readFileSync(this.#log, "utf8");
  }

  get #starts(): number {
    return this.log.split("pages and API are served").length;
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once("exit", resolve));
    process.kill(signal);
    await ended;
  }
}

/** Presses the doorbell, that often. */
export async function ring(times = 1): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${settings.broker}`, { protocolVersion: 5 });
  for (let time = 0; time < times; time++) {
    await client.publishAsync(`blikk/${NODE}/door/set/ring`, "PRESS", { qos: 1 });
  }
  await client.endAsync();
}

/** Waits for a state. */
export async function until(state: () => boolean, what: string, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs * settings.patience;
  while (!state()) {
    if (Date.now() > end) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A way to a port of loopback that can be cut, and that may change what a client says first. */
export class Wire {
  cut = false;
  connections = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async to(port: number, change: (head: string) => string = (head) => head): Promise<Wire> {
    const server = net.createServer();
    const wire = new Wire(server);
    server.on("connection", (near) => wire.#join(near, net.connect(port, "127.0.0.1"), change));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return wire;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Ends every connection, and lets none through until `mend`. */
  break(): void {
    this.cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Carries nothing any more, and ends nothing. */
  freeze(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  mend(): void {
    this.cut = false;
  }

  close(): void {
    this.break();
    this.#server.close();
  }

  #join(near: net.Socket, far: net.Socket, change: (head: string) => string): void {
    if (this.cut) {
      near.destroy();
      far.destroy();
      return;
    }
    this.connections += 1;
    near.once("data", (head) => {
      far.write(change(head.toString("latin1")), "latin1");
      near.pipe(far);
    });
    far.pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
