/** The client against a node that runs, and a Mosquitto. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { createInterface } from "node:readline";
import { after, before, describe, test as limitless } from "node:test";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { BlikkError, type BlikkOptions, blikk, type Gap, type Message, type Subscription } from "blikk-edge";
import { openSocket } from "../dist/socket.node.js";
import { LiveNode, ring, settings, TOKEN, until, Wire } from "./live.js";
import { Schemas } from "./schemas.js";

/** A test that hangs is named. */
function test(name: string, act: () => Promise<void>): void {
  limitless(name, { timeout: 25_000 * settings.patience }, act);
}

const live = new LiveNode();
const schemas = new Schemas(settings.contract);
const node = blikk({ url: live.url, token: TOKEN, mqtt: live.mqtt });
const overMqtt = blikk({ mqtt: live.mqtt });

before(() => live.start());
after(async () => {
  const failed = process.exitCode !== undefined && process.exitCode !== 0;
  await live.kill();
  if (failed) process.stderr.write(live.log);
});

/** The next messages, as soon as they are there. */
async function take<T>(subscription: Subscription<T>, count: number): Promise<T[]> {
  const read: T[] = [];
  while (read.length < count) {
    const { done, value } = await subscription.next();
    if (done) break;
    read.push(value);
  }
  return read;
}

/** The same, and then it is left. */
async function some<T>(subscription: Subscription<T>, count: number): Promise<T[]> {
  try {
    return await take(subscription, count);
  } finally {
    await subscription.return();
  }
}

/** What a reader is told besides messages. */
class Told {
  connects = 0;
  readonly gaps: Gap[] = [];
  readonly retries: string[] = [];
  readonly options = {
    onConnect: () => {
      this.connects += 1;
    },
    onGap: (gap: Gap) => this.gaps.push(gap),
    onRetry: ({ code }: BlikkError) => this.retries.push(code),
  };
}

/** The ids of the rings that the node has reported since then, as many as they are to be. */
async function rung(since: Date, count: number): Promise<string[]> {
  return ids(await some(node.records({ kinds: ["ring"], since }), count));
}

const ids = (messages: readonly Message<"ring">[]) => messages.map(({ content }) => content.id);

function rejects(work: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof BlikkError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.ok(!error.message.includes(TOKEN));
    return true;
  });
}

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** What a program says first; then it is ended. */
async function firstLine(path: string, ...more: string[]): Promise<string> {
  const child = spawn(process.execPath, [path, ...more], {
    cwd: settings.folder,
    env: { ...process.env, BLIKK_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    for await (const line of createInterface(child.stdout)) return line;
    return "";
  } finally {
    child.kill("SIGKILL");
  }
}

describe("side by side", { concurrency: true }, () => {
  test("observations, events and records come as the contract says, and only those that were asked for", async () => {
    const stop = new AbortController();
    const seen = some(node.observations({ kinds: ["appeared", "left"], labels: ["person"], cameras: ["gate"] }), 1);
    const nothing = some(node.observations({ labels: ["vehicle"], signal: stop.signal }), 1);
    const events = some(node.events({ labels: ["person"] }), 1);
    const records = some(node.records(), 3);
    const mqtt = some(overMqtt.records({ cameras: ["gate"] }), 3);

    for (const observation of await seen) {
      schemas.check("observation", observation);
      assert.ok(["appeared", "left"].includes(observation.kind));
      assert.ok(observation.objects.some(({ label }) => label === "person"));
    }
    for (const event of await events) schemas.check("event", event);
    for (const message of [...(await records), ...(await mqtt)]) schemas.checkMessage(message);
    const numbers = (await records).map(({ seq }) => seq as number);
    assert.deepEqual(
      numbers,
      [...numbers.keys()].map((index) => index + (numbers[0] ?? 0)),
    );
    assert.ok((await mqtt).some(({ kind }) => kind === "event"));
    stop.abort();
    assert.deepEqual(await nothing, [], "an abort ends the loop without an error");
  });

  test("the newest statuses come at once, over both ways", async () => {
    for (const way of [node, overMqtt]) {
      const statuses = await some(way.records({ kinds: ["state", "status"], cameras: ["gate"] }), 2);
      for (const message of statuses) schemas.checkMessage(message);
      assert.deepEqual(new Set(statuses.map(({ kind }) => kind)), new Set(["state", "status"]));
    }
  });

  test("a signal that has aborted already, and leaving before the start, open nothing", async () => {
    assert.deepEqual(await some(node.events({ signal: AbortSignal.abort() }), 1), []);
    const left = node.events();
    await left.return();
    assert.deepEqual(await left.next(), { done: true, value: undefined });
  });

  test("who is refused is told why and how to mend it, at once", async () => {
    const first = (options: BlikkOptions, more = {}) =>
      blikk(options)
        .events({ wait: true, ...more })
        .next();
    const foreign = await Wire.to(settings.port, (head) => head.replace(/^Host: .*$/m, "Host: evil.example"));
    const page = await Wire.to(settings.port, (head) => head.replace(/^Host: /m, "Origin: https://evil.example\r\n$&"));
    try {
      await rejects(
        first({ url: live.url, token: "another" }),
        "unauthorized",
        /HTTP 401: this token is not one of `http.tokens`/,
      );
      const called = { url: `ws://127.0.0.1:${foreign.port}`, token: TOKEN };
      await rejects(first(called), "wrong_host", /HTTP 421: .*`http.names`/);
      await rejects(first({ url: `ws://127.0.0.1:${page.port}`, token: TOKEN }), "forbidden", /HTTP 403/);
      const options = { url: live.url, token: TOKEN };
      await rejects(first(options, { cameras: ["attic"] }), "bad_request", /HTTP 400: `cameras` must be of door, gate/);
      await rejects(first(options, { since: "yesterday" }), "bad_request", /HTTP 400: `since` must be a `cursor`/);
      await rejects(first({ url: `${live.url}/more`, token: TOKEN }), "not_found", /HTTP 404: Not Found/);
    } finally {
      foreign.close();
      page.close();
    }
  });

  test("what is no node is told at once, unless it is waited for", async () => {
    const nobody = blikk({ url: `ws://127.0.0.1:${settings.nobody}`, token: TOKEN });
    await rejects(nobody.events().next(), "refused", /nobody listens there; see whether it runs/);
    const retries: string[] = [];
    const waiting = nobody.events({ wait: true, onRetry: ({ code }) => retries.push(code) });
    const next = waiting.next();
    await until(() => retries.length === 2, "two attempts");
    await waiting.return();
    assert.deepEqual([await next, retries], [{ done: true, value: undefined }, ["refused", "refused"]]);
    const secure = blikk({ url: live.url.replace("ws:", "wss:"), token: TOKEN });
    await rejects(secure.events().next(), "protocol", /it speaks no TLS; use the address without/);
    const broker = blikk({ url: `ws://127.0.0.1:${settings.broker}`, token: TOKEN });
    await rejects(broker.events().next(), "unreachable", /./);
  });

  test("a certificate is seen through, and what is wrong with it is told", async () => {
    const server = (certificate: string) => {
      const options = { cert: readFileSync(certificate), key: readFileSync(settings.key) };
      const made = tls.createServer(options, (near) => {
        const far = net.connect(settings.port, "127.0.0.1");
        near.on("error", () => far.destroy()).pipe(far);
        far.on("error", () => near.destroy()).pipe(near);
      });
      return made.listen(0, "127.0.0.1");
    };
    const [good, expired] = [server(settings.certificate), server(settings.expired)];
    await Promise.all([good, expired].map((each) => each.listening || once(each, "listening")));
    const ca = readFileSync(settings.ca, "utf8");
    const at = (each: net.Server, more: Partial<BlikkOptions>) => {
      const url = `wss://127.0.0.1:${(each.address() as net.AddressInfo).port}`;
      return blikk({ url, token: TOKEN, ...more })
        .records({ kinds: ["status"] })
        .next();
    };
    try {
      await rejects(at(good, {}), "certificate", /nobody vouches for its certificate; give its CA with `tls: \{ca\}`/);
      await rejects(at(expired, { tls: { ca } }), "certificate", /has expired; renew it/);
      const plain = `ws://127.0.0.1:${(good.address() as net.AddressInfo).port}`;
      await rejects(
        blikk({ url: plain, token: TOKEN }).events().next(),
        "unreachable",
        /hung up; see whether both speak TLS/,
      );
      const way = blikk({ url: plain.replace("ws:", "wss:"), token: TOKEN, tls: { ca } });
      assert.equal((await some(way.records({ kinds: ["status"] }), 1)).length, 1);
    } finally {
      good.close();
      expired.close();
    }
  });

  test("a broker or a node that is not the right one is told, and how to mend it", async () => {
    const at = (more: Partial<typeof live.mqtt>, secret = {}) => blikk({ mqtt: { ...live.mqtt, ...more, ...secret } });
    const other = at({ node: "cellar" });
    const unknown = Promise.all([
      rejects(other.ask("Who came?", { timeoutMs: 3000 }), "not_found", /no node cellar is known there/),
      rejects(other.events().next(), "not_found", /blikk\/cellar\/announce/),
    ]);
    const locked = `mqtt://127.0.0.1:${settings.locked}`;
    const wrong = at({ url: locked }, { username: "user", password: TOKEN });
    await rejects(wrong.events().next(), "unauthorized", /refuses `mqtt.username` and `mqtt.password`/);
    await rejects(at({ url: locked }).ask("Who came?"), "unauthorized", /refuses/);
    const nobody = at({ url: `mqtt://127.0.0.1:${settings.nobody}` });
    await rejects(nobody.events().next(), "refused", /nobody listens there/);
    await rejects(nobody.ask("Who came?"), "refused", /nobody listens there/);
    await rejects(at({ url: `mqtts://127.0.0.1:${settings.broker}` }).ask("?"), "unreachable", /mqtt/);
    const camera = overMqtt.events({ cameras: ["attic"] }).next();
    await rejects(camera, "not_found", /has no camera attic; it has gate, door/);
    const right = at({ url: locked }, { username: "user", password: "password" });
    await rejects(right.ask("Who came?", { timeoutMs: 1000 }), "not_found", /no node hallway/);
    await unknown;
  });

  test("the examples of the pages run", async () => {
    const said = await Promise.all([0, 1, 2, 3].map((number) => firstLine(here(`readme/${number}.js`))));
    assert.match(said[0] ?? "", /^\d{4}-.*Z gate person/);
    assert.match(said[1] ?? "", /^(event person|summary .)/);
    assert.match(said[2] ?? "", /^\d+ ./);
    assert.match(said[3] ?? "", /\w+/);
  });

  test("a program that has what it wanted can end", async () => {
    const script = here("leaves.js");
    assert.equal(await firstLine(script, live.url, live.mqtt.url), "left: ");
  });

  test("a connection in which nothing comes any more counts as lost", async () => {
    const wire = await Wire.to(settings.port);
    const texts: string[] = [];
    const url = `ws://127.0.0.1:${wire.port}/v1/records?kinds=ring`;
    const options = { url, who: "the node", token: TOKEN, silenceMs: 200 };
    const socket = openSocket(options, (text) => texts.push(text), new AbortController().signal);
    await rejects(socket, "unreachable", /^the node: nothing came for 0 s$/);
    assert.ok(texts.length <= 1);
    wire.close();
  });

  test("an error of the reader's own function ends the reading and is thrown", async () => {
    for (const way of [node, overMqtt]) {
      const onConnect = () => {
        throw new Error("my own fault");
      };
      const reading = way.events({ onConnect });
      await assert.rejects(reading.next(), /^Error: my own fault$/);
      assert.deepEqual(await reading.next(), { done: true, value: undefined });
    }
  });

  test("messages that are asked for at once come one after the other", async () => {
    const statuses = node.records({ kinds: ["status"] });
    const both = await Promise.all([statuses.next(), statuses.next()]);
    assert.deepEqual(new Set(both.map(({ value }) => value?.camera)), new Set(["door", "gate"]));
    await statuses.return();
  });

  test("who leaves is not held up by a connection that is stuck", async () => {
    for (const port of [settings.port, settings.broker]) {
      const told = new Told();
      const wire = await Wire.to(port);
      const url = `127.0.0.1:${wire.port}`;
      const options =
        port === settings.port
          ? { url: `ws://${url}`, token: TOKEN }
          : { mqtt: { ...live.mqtt, url: `mqtt://${url}` } };
      const reading = blikk(options).records({ kinds: ["ring"], ...told.options });
      const next = reading.next();
      await until(() => told.connects === 1, "the connection");
      wire.freeze();
      await reading.return();
      assert.equal((await next).done, true);
      wire.close();
    }
  });

  test("in a browser the token is a protocol", async () => {
    const script = here("in-browser.js");
    const flags = ["--conditions=browser", "--experimental-websocket", "--no-warnings"];
    const child = spawn(process.execPath, [...flags, script, live.url, `ws://127.0.0.1:${settings.nobody}`]);
    let output = "";
    let errors = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.stderr.on("data", (text) => {
      errors += text;
    });
    const [status] = await once(child, "close");
    assert.equal(status, 0, errors);
    const [first, second, third] = output.trim().split("\n");
    assert.equal(first, "door offline");
    assert.match(second ?? "", /^refused .*`http.origins`/);
    assert.match(third ?? "", /^refused .*the token is right/);
    assert.ok(!output.includes("another-token"));
  });
});

test("after a break it takes up by cursor: nothing is missing and nothing comes twice", async () => {
  const started = new Date();
  const told = new Told();
  const wire = await Wire.to(settings.port);
  const way = blikk({ url: `ws://127.0.0.1:${wire.port}`, token: TOKEN });
  const broken = way.records({ kinds: ["ring"], ...told.options });
  try {
    const read = take(broken, 7);
    for (let round = 1; round <= 3; round++) {
      await until(() => told.connects === round, "the connection");
      wire.break(); // the first time before any record
      const before = told.retries.length;
      await ring(2);
      await until(() => told.retries.length > before, "a retry");
      wire.mend();
    }
    await until(() => told.connects === 4, "the connection");
    await ring();
    assert.deepEqual(ids(await read), await rung(started, 7));
    assert.deepEqual([told.gaps, broken.gaps, broken.dropped], [[], 0, 0]);
    assert.ok(told.retries.every((code) => code === "unreachable"));
  } finally {
    await broken.return();
    wire.close();
  }
});

test("a program that was away takes up with the cursor that it kept, and is told what the node did not keep", async () => {
  const told = new Told();
  const before = node.records({ kinds: ["ring"], ...told.options });
  const first = take(before, 1);
  await until(() => told.connects === 1, "the connection");
  await ring();
  const [seen] = await first;
  const since = before.cursor as string;
  assert.equal(since, seen?.cursor);
  await before.return();

  const order: (string | Gap)[] = [];
  await ring();
  const soon = node.records({ kinds: ["ring"], since, onGap: (gap) => order.push(gap) });
  for (const message of await some(soon, 1)) order.push(message.kind);
  assert.deepEqual(order.splice(0), ["ring"]);

  const watching = new Told();
  const watched = some(node.records({ kinds: ["ring"], ...watching.options }), 35);
  await until(() => watching.connects === 1, "the connection");
  await ring(35); // the node keeps 30
  const last = (await watched).at(-1)?.content.id;
  for (let stored = false; !stored; ) {
    const { rings = [] } = await node.request({ do: "events", limit: 1 });
    stored = rings.some(({ id }) => id === last);
  }
  const late = node.records({ kinds: ["ring"], since, onGap: (gap) => order.push(gap) });
  for (const message of await take(late, 36)) order.push(message.content.id);
  await late.return();
  assert.deepEqual(order[0], { reason: "expired", missing: null });
  assert.equal(late.gaps, 1);
  assert.equal(new Set(order.slice(1)).size, 36, "rings are told again out of the history");
});

test("a slow reader gets the newest, and is told how many it missed", async () => {
  const started = new Date();
  const told = new Told();
  const slow = node.records({ kinds: ["ring"], buffer: 3, ...told.options });
  const first = take(slow, 1);
  await until(() => told.connects === 1, "the connection");
  await ring();
  const read = await first;
  await ring(9);
  await until(() => slow.dropped === 6, "the last one");
  read.push(...(await some(slow, 3)));
  const all = await rung(started, 10);
  assert.deepEqual(ids(read), [all[0], ...all.slice(-3)]);
  assert.deepEqual(told.gaps, [{ reason: "slow", missing: 6 }]);
});

test("over MQTT the same records come, and after a break nothing is missing", async () => {
  const started = new Date();
  const told = new Told();
  const wire = await Wire.to(settings.broker);
  const way = blikk({ mqtt: { ...live.mqtt, url: `mqtt://127.0.0.1:${wire.port}` } });
  const broken = way.records({ kinds: ["ring", "summary"], cameras: ["door"], ...told.options });
  try {
    // what was before comes later over MQTT, where each message is acknowledged
    const read = (async () => {
      const rings: Message<"ring">[] = [];
      for await (const message of broken) {
        schemas.checkMessage(message);
        if (message.kind !== "ring" || message.content.time < started.toISOString()) continue;
        // a broker sends again what was not acknowledged when the connection broke
        if (!rings.some(({ content }) => content.id === message.content.id)) rings.push(message);
        if (rings.length === 5) break;
      }
      return rings;
    })();
    for (let round = 1; round <= 2; round++) {
      await until(() => told.connects === round, "the connection");
      wire.break();
      const before = told.retries.length;
      await ring(2);
      await until(() => told.retries.length > before, "a retry");
      wire.mend();
    }
    await until(() => told.connects === 3, "the connection");
    await ring();
    assert.deepEqual(ids(await read), await rung(started, 5));
    assert.deepEqual(told.gaps, []);
  } finally {
    await broken.return();
    wire.close();
  }
});

test("what appeared is searched for by words, the best first", async () => {
  const found = await node.search("a person", { camera: "gate", limit: 3 });
  assert.ok(found.length >= 1 && found.length <= 3);
  assert.ok(found.every(({ camera, label }) => camera === "gate" && label === "person"));
  await rejects(node.search("a person", { camera: "attic" }), "bad_request", /no camera 'attic'/);
});

test("questions and requests are answered, and what the node refuses is an error", async () => {
  const reply = await node.ask("How many people came to the gate today?", { since: new Date(Date.now() - 3_600_000) });
  schemas.check("reply", reply);
  assert.ok((reply.count ?? 0) >= 1, JSON.stringify(reply));
  assert.ok(reply.events.every(({ camera, label }) => camera === "gate" && label === "person"));
  const events = await overMqtt.request({ do: "events", camera: "gate", limit: 1 });
  schemas.check("reply", events);
  assert.equal(events.events.length, 1);
  await rejects(node.ask("Who came?", { camera: "attic" }), "bad_request", /no camera 'attic'/);
  await rejects(blikk({ url: live.url, token: TOKEN }).ask("Who came?"), "no_mqtt", /give `mqtt: \{url, node\}`/);
  await assert.rejects(node.ask("Who came?", { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  const stop = new AbortController();
  const stopped = node.ask("Who came?", { signal: stop.signal });
  stop.abort(new Error("never mind"));
  await assert.rejects(stopped, /never mind/);
});

test("a node that is killed and started again is told as a gap, and what it reports then comes", async () => {
  const told = new Told();
  const lasting = node.records({ kinds: ["ring"], ...told.options });
  const first = take(lasting, 1);
  await until(() => told.connects === 1, "the connection");
  await ring();
  const [before] = await first;
  await live.kill();
  const second = take(lasting, 1);
  await until(() => told.retries.includes("refused"), "a retry");
  await live.start();
  await until(() => told.connects === 2, "the node", 60_000);
  await ring();
  const [after] = await second;
  await lasting.return();
  assert.notEqual(after?.stream, before?.stream);
  assert.deepEqual(told.gaps, [{ reason: "restarted", missing: null }]);
});

test("a node that was stopped is offline, and says so to who asks", async () => {
  const told = new Told();
  const status = overMqtt.records({ kinds: ["status"], ...told.options });
  const offline = (async () => {
    for await (const { camera, content } of status) if (camera === null && content === "offline") return true;
    return false;
  })();
  await until(() => told.connects === 1, "the connection");
  await live.stop();
  assert.ok(await offline);
  await rejects(node.ask("Who came?"), "offline", /node hallway is offline/);
});
