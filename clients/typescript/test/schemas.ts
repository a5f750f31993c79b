/** The schemas of the contract, by which tests judge what comes. */

import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import type * as contract from "blikk-edge";

const ajv = new Ajv2020({
  allowUnionTypes: true,
  formats: { "date-time": (text: string) => !Number.isNaN(Date.parse(text)) },
});

/** Whatever is not by its schema is told: where, and what was expected. */
export class Schemas {
  readonly names: readonly string[];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.names = readdirSync(`${folder}/schemas`).map((file) => file.replace(".json", ""));
  }

  check(name: string, value: unknown): void {
    const schema = JSON.parse(readFileSync(`${this.#folder}/schemas/${name}.json`, "utf8"));
    delete schema.$schema; // the same as the default of Ajv2020
    const validate = this.#made.get(name) ?? ajv.compile(schema);
    this.#made.set(name, validate);
    if (!validate(value)) throw new Error(`${name}: ${ajv.errorsText(validate.errors)}: ${JSON.stringify(value)}`);
  }

  checkMessage(message: contract.Message): void {
    this.check("envelope", message);
    if (typeof message.content === "object" && message.content !== null) this.check(message.kind, message.content);
  }

  readonly #made = new Map<string, ReturnType<typeof ajv.compile>>();
}
