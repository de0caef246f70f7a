/** Writes the JSON Schemas of viva's output files to docs/schemas. */
import { mkdirSync, writeFileSync } from "node:fs";
import { probesJsonSchema, resultsJsonSchema } from "../src/evaluate/index.ts";

const folder = new URL("../docs/schemas/", import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL("evaluation-results.json", folder), `${JSON.stringify(resultsJsonSchema(), null, 2)}\n`);
writeFileSync(new URL("probe-results.json", folder), `${JSON.stringify(probesJsonSchema(), null, 2)}\n`);
