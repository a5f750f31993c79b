/** The contract: its golden examples are what the generated types and the schemas say. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { settings } from "./live.js";
import { Schemas } from "./schemas.js";

const schemas = new Schemas(settings.contract);
const folder = `${settings.contract}/examples`;

test("every golden example is one by its schema", () => {
  const checked = new Set<string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json") && !name.startsWith("discovery-"))) {
    const schema = file.replace(/(-.*)?\.json$/, "");
    schemas.check(schema, JSON.parse(readFileSync(`${folder}/${file}`, "utf8")));
    checked.add(schema);
  }
  assert.deepEqual([...checked].sort(), [...schemas.names].sort());
});

test("what is no message of the contract is told", () => {
  const event = JSON.parse(readFileSync(`${folder}/event-started.json`, "utf8"));
  assert.throws(
    () => schemas.check("event", { ...event, label: "ghost" }),
    /must be equal to one of the allowed values/,
  );
});
