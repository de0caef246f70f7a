/** Two sites with films of their own, a small model with weights, and a federation of them, for tests in a folder. */
import { join } from "node:path";
import { jsonLines, vivaOk } from "./command-line.ts";
import { type Row, tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

/** A site that trains on the split of its name. */
export const site = (name: string) => ({ name, set: { "data.train.split": name } });

/** Of local.yaml, which `writeFilmSites` writes. */
export const federation = {
  ...{ name: "films", mode: "fedavg", rounds: 1, local_steps: 2, base: "local.yaml" },
  clients: [site("south"), site("north")],
};

/** Writes splits north, south, and both (which shares three patients with north), local.yaml and films.yaml. */
export async function writeFilmSites(folder: string, changes: object = {}): Promise<void> {
  const at = (name: string) => join(folder, name);
  writeTinyModel(at("model"));
  await writeFilms(at("films"));
  const rows = jsonLines(folder, "films/train.jsonl") as Row[];
  writeRows(at("films/north.jsonl"), rows.slice(0, 8));
  writeRows(at("films/south.jsonl"), rows.slice(8));
  writeRows(at("films/both.jsonl"), rows.slice(5, 10));
  const stage = { kind: "sft", steps: 1, batch_size: 4, learning_rate: 0.03, lr_scheduler_type: "constant" };
  const { name: _, ...tiny } = tinyRecipe({ model: "model", data: "films" });
  const quick = { ...tiny, stages: [stage], evaluate: null, checkpoint: {} };
  writeRecipe(at("base.yaml"), { name: "base", ...quick });
  await vivaOk(folder, "train", "base.yaml", "--run", "base", "--no-report");
  const model = { path: "base", lora: { r: 2, lora_alpha: 4 } };
  writeRecipe(at("local.yaml"), { name: "local", ...quick, model, evaluate: { at_start: false } });
  writeRecipe(at("films.yaml"), { ...federation, ...changes });
}
