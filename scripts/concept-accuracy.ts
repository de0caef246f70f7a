/** Precision and recall of concept matching on the hand-checked pairs: `npx tsx scripts/concept-accuracy.ts [vocabulary]`. */
import { readFileSync } from "node:fs";
import { parseVocabulary } from "../src/answers/concepts/vocabulary.ts";
import { type ConceptCase, conceptAccuracy } from "../test/answers/concept-accuracy.ts";

const [file = "assets/vocabulary.json"] = process.argv.slice(2);
const cases = JSON.parse(readFileSync("test/golden/concepts.json", "utf8")) as ConceptCase[];
const vocabulary = parseVocabulary(JSON.parse(readFileSync(file, "utf8")), file);
for (const half of ["tuning", "held_out"] as const) {
  const { precision, recall, matches, pairs, wrong } = conceptAccuracy(
    cases.filter((c) => c.half === half),
    vocabulary,
  );
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  console.log(`${half}: precision ${percent(precision)}, recall ${percent(recall)}, pairs ${matches} of ${pairs}`);
  // The held-out half shows only figures, so that nothing is tuned on it.
  if (half === "tuning") for (const line of wrong) console.log(`  ${line}`);
}
