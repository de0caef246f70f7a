/** Writes the JSON Schemas of study files and of viva's output to docs/schemas. */
import { mkdirSync, writeFileSync } from "node:fs";
import {
  auditJsonSchema,
  comparisonJsonSchema,
  datasetAuditJsonSchema,
  lengthAuditJsonSchema,
  probesJsonSchema,
  resultsJsonSchema,
} from "../src/evaluate/index.ts";
import { checkJsonSchema } from "../src/pipeline/check-schema.ts";
import { studyResultsJsonSchema } from "../src/runs/study-results.ts";
import { studyJsonSchema } from "../src/study/schema.ts";

const folder = new URL("../docs/schemas/", import.meta.url);
const schemas = {
  "evaluation-results": resultsJsonSchema(),
  comparison: comparisonJsonSchema(),
  "probe-results": probesJsonSchema(),
  audit: auditJsonSchema(),
  "dataset-audit": datasetAuditJsonSchema(),
  "length-audit": lengthAuditJsonSchema(),
  check: checkJsonSchema(),
  study: studyJsonSchema(),
  "study-results": studyResultsJsonSchema(),
};
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(schemas)) {
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(schema, null, 2)}\n`);
}
