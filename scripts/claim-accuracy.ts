/** Agreement of claim checking with the hand labels of test/golden/claims.json: `npx tsx scripts/claim-accuracy.ts [vocabulary]`. */
import { readFileSync } from "node:fs";
import { parseVocabulary } from "../src/answers/concepts/vocabulary.ts";
import { type ClaimFile, claimAccuracy } from "../test/answers/claim-accuracy.ts";

const [file = "assets/vocabulary.json"] = process.argv.slice(2);
const labelled = JSON.parse(readFileSync("test/golden/claims.json", "utf8")) as ClaimFile;
const vocabulary = parseVocabulary(JSON.parse(readFileSync(file, "utf8")), file);
for (const half of ["tuning", "held_out"] as const) {
  const { precision, recall, rationales, right, wrong } = claimAccuracy(labelled, half, vocabulary);
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  console.log(`${half}: precision ${percent(precision)}, recall ${percent(recall)}, right ${right} of ${rationales}`);
  // The held-out half shows only figures, so that nothing is tuned on it.
  if (half === "tuning") for (const line of wrong) console.log(`  ${line}`);
}
