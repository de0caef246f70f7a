/**
 * Writes classes that no shipped model was taught, for `viva reprogram` and its controls: npx tsx bench/stages.ts OUT. Chest films
 * and CT by the largest nodule (stage 0: none, 1: up to 30 mm, 2: above), as many of each, as JSONL with images. The limit is ours.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadDataset } from "../src/data/index.ts";
import { encodePng } from "../src/io/images.ts";

/** Images of each class. */
const COUNTS = { train: 200, test: 100 };
const LIMITS = [0, 30];

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: npx tsx bench/stages.ts OUT");
mkdirSync(join(out, "images"), { recursive: true });
for (const [split, count] of Object.entries(COUNTS)) {
  const patients = await loadDataset({ name: "phantom_patients", split, limit: 3000, seed: 1 });
  const asked = patients.filter(({ meta, target }) => target?.unit === "mm" && meta["organ"] === "chest");
  const taken = [0, 0, 0];
  let rows = "";
  for (const { subjectId, images, target } of asked) {
    const stage = LIMITS.filter((limit) => target!.value > limit).length;
    if (taken[stage]! === count) continue;
    taken[stage]! += 1;
    const id = `${split}-${stage}-${taken[stage]}`;
    const image = `images/${id}.png`;
    writeFileSync(join(out, image), await encodePng(images[0]!.pixels!));
    rows += `${JSON.stringify({ id, subject: subjectId, image, question: "What is the stage?", answer: `stage ${stage}` })}\n`;
  }
  writeFileSync(join(out, `${split}.jsonl`), rows);
}
