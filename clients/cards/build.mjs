// Writes the one module that the component serves, from src; with --check it says whether that is current.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCES = new URL("src/", import.meta.url);
const WRITTEN = new URL("../../custom_components/blikk/frontend/blikk-cards.js", import.meta.url);

const digest = createHash("sha256");
for (const file of readdirSync(SOURCES).sort()) {
  digest.update(`${file}\0`).update(readFileSync(new URL(file, SOURCES)));
}
const built = await build({
  absWorkingDir: fileURLToPath(SOURCES),
  entryPoints: ["blikk-cards.js"],
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  // names are kept: what a browser says of an error can be read
  minifyWhitespace: true,
  minifySyntax: true,
  banner: {
    js: `// Written by \`npm run build\` in clients/cards, from sources whose SHA-256 is\n// ${digest.digest("hex")}`,
  },
});
const [{ text }] = built.outputFiles;

if (!process.argv.includes("--check")) {
  writeFileSync(WRITTEN, text);
} else if (readFileSync(WRITTEN, "utf8") !== text) {
  process.stderr.write("blikk-cards.js is not what clients/cards/src says: run `npm run build` there\n");
  process.exitCode = 1;
}
