/** A program that has asked and read: what is left then would keep it from ending. */

import { blikk } from "blikk-edge";

const [url = "", broker = ""] = process.argv.slice(2);
const mqtt = { url: broker, node: "hallway" };
const way = blikk({ url, token: "0123456789abcdef", mqtt });
await way.ask("Who came today?");
for (const each of [way, blikk({ mqtt })]) {
  for await (const _ of each.records({ kinds: ["status"] })) break;
}
const left = process.getActiveResourcesInfo().filter((name) => /Timeout|TCP|TLS/.test(name));
process.stdout.write(`left: ${left.join(" ")}\n`);
