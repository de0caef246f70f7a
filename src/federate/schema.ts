/** The schema of a federation file: sites that train one recipe on their own data, and rounds of averaging. */
import * as z from "zod";
import { mapping, nameIn, text, whole } from "../core/fields.ts";
import type { Schema } from "../recipes/json-schema.ts";
import { modes } from "./modes.ts";

const nameError = { error: "a name of letters, digits, dots, dashes and underscores" };
const name = () => z.string(nameError).regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, nameError);

const client = mapping({
  name: name(),
  set: z
    .record(text(), z.unknown(), { error: "a mapping of recipe keys, such as data.train.path, to values" })
    .default({})
    .describe("What is this site's own: keys of data and engine, and their values."),
});

/** The schema of a federation. */
export const federationSchema = mapping({
  name: name(),
  mode: nameIn(modes).default("fedavg").describe("How adapters are averaged; docs/federation.md says how."),
  rounds: whole({ min: 1 }).default(10),
  local_steps: whole({ min: 1 }).default(50).describe("Steps of the recipe's stage at each site in each round."),
  base: z.union([text(), z.record(z.string(), z.unknown())], { error: "a recipe, or the path of one" }),
  clients: z.array(client, { error: "a list of sites" }).min(1, { error: "a list of at least one site" }),
});

export type FederationFile = z.output<typeof federationSchema>;

/** JSON Schema (draft 2020-12) of a federation file. */
export function federationJsonSchema(): Schema {
  return { ...z.toJSONSchema(federationSchema, { io: "input" }), title: "viva federation" };
}
