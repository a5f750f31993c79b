// Writes src/contract.ts, the types of the messages, from contract/schemas; with --check it says whether that is current.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { compile } from "json-schema-to-typescript";

const SCHEMAS = new URL("../../../contract/schemas/", import.meta.url);
const WRITTEN = new URL("../src/contract.ts", import.meta.url);
// `Event` is a global of browsers and of Node
const NAMES = { event: "BlikkEvent" };

const files = readdirSync(SCHEMAS).sort();
const definitions = {};

function define(name, schema) {
  if (name in definitions && !isDeepStrictEqual(definitions[name], schema)) {
    throw new Error(`two schemas mean something else by ${name}`);
  }
  definitions[name] = schema;
}

const capital = (name) => name[0].toUpperCase() + name.slice(1);

// Of lengths only a fixed one becomes part of a type: `[number, number, number, number]`.
function prepared(value) {
  if (Array.isArray(value)) return value.map(prepared);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key]) => !["minItems", "maxItems"].includes(key) || value.minItems === value.maxItems,
  );
  return Object.fromEntries(
    kept.map(([key, each]) => [
      key,
      key === "$ref" ? `#/$defs/${capital(each.replace("#/$defs/", ""))}` : prepared(each),
    ]),
  );
}

const digest = createHash("sha256");
const properties = {};
for (const file of files) {
  const bytes = readFileSync(new URL(file, SCHEMAS));
  digest.update(`${file}\0`).update(bytes);
  const { $defs = {}, title, $schema, ...schema } = JSON.parse(bytes);
  for (const [name, each] of Object.entries($defs)) define(capital(name), prepared(each));
  const kind = file.replace(".json", "");
  define(NAMES[kind] ?? capital(kind), prepared({ description: title, ...schema }));
  properties[kind] = { $ref: `#/$defs/${NAMES[kind] ?? capital(kind)}` };
}
const root = {
  description: "Every schema by its name",
  type: "object",
  properties,
  required: Object.keys(properties),
  $defs: definitions,
};
const types = await compile(root, "Contract", {
  additionalProperties: false,
  bannerComment: `// Written by \`npm run types\` from contract/schemas, whose SHA-256 is\n// ${digest.digest("hex")}`,
  style: { printWidth: 120 },
  unreachableDefinitions: false,
});

if (!process.argv.includes("--check")) {
  writeFileSync(WRITTEN, types);
} else if (readFileSync(WRITTEN, "utf8") !== types) {
  process.stderr.write("src/contract.ts is not what contract/schemas says: run `npm run types`\n");
  process.exitCode = 1;
}
