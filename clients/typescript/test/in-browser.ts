/** What a page would do. The WebSocket is Node's own, which is that of browsers. */

import { BlikkError, blikk } from "blikk-edge";

const [live = "", nobody = ""] = process.argv.slice(2);

async function first(url: string, token: string): Promise<string> {
  try {
    for await (const { camera, content } of blikk({ url, token }).records({ kinds: ["status"], cameras: ["door"] })) {
      return `${camera} ${content}`;
    }
    return "nothing";
  } catch (error) {
    return error instanceof BlikkError ? `${error.code} ${error.message}` : String(error);
  }
}

const said = [await first(live, "0123456789abcdef"), await first(nobody, "any"), await first(live, "another-token")];
process.stdout.write(`${said.join("\n")}\n`);
