/**
 * Writes recipes/arms: each arm of studies/one-look.yaml as a separate recipe, to run or to build on.
 * usage: npx tsx scripts/write-arm-recipes.ts
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { writeFileAtomic } from "../src/io/files.ts";
import { applyOverride, parseOverride } from "../src/recipes/overrides.ts";
import { type ArmFile, studySchema } from "../src/study/schema.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const study = studySchema.parse(parse(readFileSync(join(root, "studies/one-look.yaml"), "utf8")));
const [seed] = study.seeds;
/** Arms of the semantic dimension that need the user's own encoder or service, and are therefore not in the study. */
const ownServices: readonly ArmFile[] = [
  {
    name: "semantic_embedding",
    about: "A sentence encoder; put your folder in its place",
    scorer: "embedding",
    encoder: "encoders/all-MiniLM-L6-v2",
  },
  {
    name: "semantic_judge",
    about: "A language model as judge; put your address and model in their place",
    scorer: "judge",
    base_url: "http://localhost:8000/v1",
    model: "judge",
  },
].map(({ name, about, ...semantic }) => {
  const set = { "stages.0.rewards.semantic": { weight: 0.5, ...semantic } };
  return { name, about, dimensions: ["semantic"], from: study.reference, weights: null, set };
});
const arms = [...study.arms, ...ownServices];

for (const { name, about, dimensions } of arms) {
  const of = dimensions.length === 0 ? "the plain arm" : dimensions.join(", ");
  const recipe = { name, seed, ...(changed(name) as object) };
  const yaml = stringify(recipe, { aliasDuplicateObjects: false, collectionStyle: "any", lineWidth: 0 });
  const head = `# ${about ?? `GRPO's recipe with kind ${name}`} (${of}).\n# An arm of studies/one-look.yaml, from which scripts/write-arm-recipes.ts writes it.\n`;
  writeFileAtomic(
    join(root, "recipes/arms", `${name}.yaml`),
    head + yaml.replaceAll("path: ../assets", "path: ../../assets"),
  );
}

/** The base with the changes of its ancestors, then its own. */
function changed(name: string): unknown {
  const { from, set } = arms.find((arm) => arm.name === name)!;
  const start = from === null ? study.base : changed(from);
  return Object.entries(set).reduce(
    (recipe, [key, value]) => applyOverride(recipe, { ...parseOverride(`${key}=`), text: key, value }),
    start as unknown,
  );
}
