/** The buffer of a slow reader, and what options may be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BlikkError, blikk, type Gap } from "blikk-edge";
import { Buffer } from "../dist/buffer.js";
import { networkError } from "../dist/errors.js";

async function all<T>(buffer: Buffer<T>): Promise<(Gap | T)[]> {
  const read: (Gap | T)[] = [];
  for (;;) {
    const taken = await buffer.take((gap) => read.push(gap));
    if (taken === undefined) return read;
    read.push(taken.item);
  }
}

test("the oldest go, are counted, and gaps keep their place", async () => {
  const buffer = new Buffer<number>(3);
  for (const item of [1, 2]) buffer.put(item);
  buffer.gap({ reason: "restarted", missing: null });
  for (const item of [3, 4, 5, 6]) buffer.put(item);
  const reading = all(buffer);
  await new Promise(setImmediate);
  buffer.put(7);
  await new Promise(setImmediate);
  buffer.end();
  assert.deepEqual(await reading, [{ reason: "slow", missing: 3 }, { reason: "restarted", missing: null }, 4, 5, 6, 7]);
  assert.equal(buffer.dropped, 3);
});

test("a reader of one at a time loses all but the newest", async () => {
  const buffer = new Buffer<number>(1);
  buffer.gap({ reason: "expired", missing: null });
  for (const item of [1, 2, 3]) buffer.put(item);
  const taken = await buffer.take((gap) => assert.ok(["slow", "expired"].includes(gap.reason)));
  assert.deepEqual([taken?.item, buffer.dropped], [3, 2]);
});

test("what came before an error is read before it is thrown, and once", async () => {
  const buffer = new Buffer<number>(3);
  buffer.put(1);
  buffer.end(new Error("broken"));
  assert.equal((await buffer.take(() => {}))?.item, 1);
  await assert.rejects(
    buffer.take(() => {}),
    /broken/,
  );
  assert.equal(await buffer.take(() => {}), undefined);
});

test("options that cannot be used are told by their name, and how to write them", () => {
  const url = "ws://127.0.0.1:8428";
  const token = "0123456789abcdef";
  const node = blikk({ url, token });
  const mqtt = { url: "mqtt://broker.local", node: "hallway" };
  const wrong: [() => unknown, RegExp][] = [
    [() => blikk({}), /give `url` and `token`.*or `mqtt: \{url, node\}`/],
    [() => blikk({ url }), /`url` needs `token`/],
    [() => blikk({ url: "hallway.local", token }), /`url` is no address; write it like ws:/],
    [() => blikk({ url: "http://hallway.local", token }), /`url` begins with http:\/\/ and not with ws/],
    [() => blikk({ url: "ws://user:pass@hallway.local", token }), /`url` holds a user or a password/],
    [() => blikk({ url: `${url}/?kinds=event`, token }), /`url` holds a query/],
    [() => blikk({ url, token: "with a space" }), /`token` must be/],
    [() => blikk({ mqtt: { ...mqtt, url: "broker.local" } }), /`mqtt.url` is no address/],
    [() => blikk({ mqtt: { ...mqtt, url: "http://broker.local" } }), /`mqtt.url` begins with http:/],
    [() => blikk({ mqtt: { ...mqtt, url: "mqtt://u:secret@broker.local" } }), /`mqtt.url` holds a user/],
    [() => blikk({ mqtt: { ...mqtt, node: "a/b" } }), /`mqtt.node` must be the id/],
    [() => blikk({ mqtt: { ...mqtt, prefix: "#" } }), /`mqtt.prefix` must be/],
    [() => blikk({ mqtt }).events({ since: "2026-11-21T12:00:00Z" }), /`since` needs the WebSocket/],
    [() => node.observations({ buffer: 0 }), /`buffer` must be a whole number/],
    [() => node.observations({ since: new Date("yesterday") }), /`since` must be a time/],
    [() => node.observations({ labels: [] }), /`labels` must be left out to get all/],
    [() => node.observations({ cameras: ["a,b"] }), /`cameras` must be ids/],
    [() => node.observations({ kinds: ["event" as "motion"] }), /`kinds` must be of motion, scene, /],
    [() => node.events({ labels: ["ghost" as "person"] }), /`labels` must be of person, /],
    [() => node.records({ kinds: ["motion" as "event"] }), /`kinds` must be of observation, event, /],
  ];
  for (const [act, message] of wrong) {
    assert.throws(act, (error) => {
      assert.ok(error instanceof BlikkError && error.code === "bad_request", String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret|0123456789/);
      return true;
    });
  }
});

test("an error of the network says what it means", () => {
  const meanings = {
    ENOTFOUND: ["unreachable", /host name is not known/],
    ERR_TLS_CERT_ALTNAME_INVALID: ["certificate", /for another name/],
    ETIMEDOUT: ["timeout", /did not answer in time/],
    CERT_NOT_YET_VALID: ["certificate", /clocks/],
    EHOSTUNREACH: ["unreachable", /EHOSTUNREACH/],
  } as const;
  for (const [code, [kind, message]] of Object.entries(meanings)) {
    const error = networkError(Object.assign(new Error("failed"), { code }), "wss://hallway.local");
    assert.equal(error.code, kind);
    assert.match(error.message, message);
    assert.match(error.message, /^wss:\/\/hallway\.local: /);
  }
});
