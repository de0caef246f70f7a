/** Writes the JSON Schemas of viva's output files to docs/schemas. */
import { mkdirSync, writeFileSync } from "node:fs";
import { comparisonJsonSchema, resultsJsonSchema } from "../src/evaluate/index.ts";

const folder = new URL("../docs/schemas/", import.meta.url);
mkdirSync(folder, { recursive: true });
const schemas = { "evaluation-results": resultsJsonSchema(), comparison: comparisonJsonSchema() };
for (const [name, schema] of Object.entries(schemas)) {
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(schema, null, 2)}\n`);
}
