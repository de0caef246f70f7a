/** What a run was begun with, by the hashes in its recipe.yaml: it goes on, and is evaluated, with that and nothing else. */
import { readFileSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import { runPaths } from "../runs/run-folder.ts";

/** Under these names the hashes stand in recipe.yaml; the texts say what each is of. */
const meanings: Readonly<Record<string, string>> = {
  model_sha256: "the base model's files (model.path)",
  adapter_sha256: "the adapter that training began from (model.path)",
  train_sha256: "the questions, answers or images of data.train",
  eval_sha256: "the questions, answers or images of data.eval",
};

/** The hashes that a run's recipe.yaml begins with, by name. */
export function recordedHashes(run: string): Hashes {
  const yaml = readFileSync(runPaths(run).recipe, "utf8");
  const notes = [...yaml.matchAll(/^# (\w+_sha256): ([0-9a-f]{64})$/gm)];
  return Object.fromEntries(notes.map(([, name, hash]) => [name!, hash!]));
}

/** Of what a stage reads besides: its pairs, its images, or the model that one of its rewards asks. */
function stageMeaning(name: string): string {
  if (name.endsWith("_images_sha256")) return "the images of a stage";
  return name.endsWith("_pairs_sha256") ? "the preference pairs or their images" : "the model that a reward asks";
}

type Hashes = Readonly<Record<string, string>>;

/** The recorded hashes that are others now. */
export function changedHashes(run: string, hashes: Hashes): Hashes {
  const recorded = Object.entries(recordedHashes(run));
  return Object.fromEntries(recorded.filter(([name, hash]) => hashes[name] !== undefined && hashes[name] !== hash));
}

/** Throws UserError that names everything whose hash is another now. `then` says what follows, and what to do. */
export function requireRecorded(run: string, hashes: Hashes, then: string): void {
  const changed = Object.keys(changedHashes(run, hashes));
  if (changed.length === 0) return;
  const what = changed.map((name) => `${meanings[name] ?? stageMeaning(name)} (${name})`).join(" and ");
  throw new UserError(`${run}: ${what} changed since the run began, so ${then}`);
}
