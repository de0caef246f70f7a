/**
 * One round at one site: the ordinary trainer in a process of its own, then the outbox, which holds all that leaves the site:
 * the adapter's matrices and the number of training examples. Whatever was done before a kill is not done again.
 */
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { RunError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { writeFolder } from "../export/export.ts";
import { writeFileAtomic } from "../io/files.ts";
import { ADAPTER_WEIGHTS } from "../models/adapter-files.ts";
import { resolvedYaml } from "../recipes/load.ts";
import type { Recipe } from "../recipes/schema.ts";
import { findCheckpoint } from "../runs/checkpoints.ts";
import { replaceFile } from "../runs/durable.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { isFinished, isRun, isWritten, runPaths } from "../runs/run-folder.ts";
import type { TrainRun } from "../study/execute.ts";
import { type FederationPaths, removeDrafts, sentFiles } from "./folder.ts";
import type { Federation, FederationClient } from "./load.ts";
import { modes } from "./modes.ts";

/** The file with the number of training examples. */
export const COUNT = "count.json";

export interface SiteOptions {
  readonly paths: FederationPaths;
  readonly federation: Federation;
  readonly train: TrainRun;
  readonly signal: AbortSignal;
  readonly onNotice: (text: string) => void;
}

/** Times that a site's process may be killed before the federation stops. */
const ATTEMPTS = 3;
const LARGE_PRIME = 1_000_003;

/** Trains a site's round, unless it is done, and fills its outbox. */
export async function siteRound(client: FederationClient, round: number, o: SiteOptions): Promise<void> {
  const { paths } = o;
  const outbox = paths.outbox(client.name, round);
  if (existsSync(outbox)) return;
  const run = paths.run(client.name, round);
  for (let attempt = 1; !isFinished(run); attempt++) {
    o.signal.throwIfAborted();
    if (await survivorEnds(run, client.name, o)) continue;
    const outcome = await o.train(run, isRun(run) ? null : writeRecipe(client, round, o));
    if (outcome.ok) continue;
    o.signal.throwIfAborted();
    if (attempt === ATTEMPTS || outcome.killed !== true)
      throw new RunError(`${client.name}, round ${round}: ${outcome.message}`);
    o.onNotice(`${client.name}, round ${round}: ${outcome.message}; it goes on`);
  }
  await fillOutbox(run, outbox, client.name);
  const rounds = Array.from({ length: round }, (_, i) => i + 1);
  const sent = rounds.map((one) => ({ round: one, files: sentFiles(paths.outbox(client.name, one)) }));
  replaceFile(paths.sent(client.name), `${JSON.stringify(sent, null, 2)}\n`);
}

/** Other batches in each round; the first has the recipe's own seed. The sites of integrations/flower compute the same. */
function seedOfRound(seed: number, round: number): number {
  return (seed + LARGE_PRIME * (round - 1)) % 2 ** 31;
}

/**
 * What a site trains in a round: the stage for `local_steps` steps from the adapter of the round before, on other batches
 * than in other rounds, without evaluations of its own.
 */
export function roundRecipe(
  { recipe }: FederationClient,
  round: number,
  o: Pick<SiteOptions, "federation" | "paths">,
): Recipe {
  const { mode, localSteps } = o.federation;
  const { model, stages, seed, data, checkpoint } = recipe;
  const [stage] = stages;
  return {
    ...recipe,
    seed: seedOfRound(seed, round),
    model: { ...model, path: o.paths.global(round - 1), revision: null, freeze: modes[mode].freeze },
    // Generated data depend on the seed, and a site has the same data in every round.
    data: { ...data, train: { ...data.train, seed: data.train.seed ?? seed }, eval: null },
    stages: [
      { ...stage!, steps: localSteps, ...("epochs" in stage! ? { epochs: null } : {}) } as Recipe["stages"][number],
    ],
    evaluate: null,
    checkpoint: { ...checkpoint, best: null },
    track: [],
  };
}

function writeRecipe(client: FederationClient, round: number, o: SiteOptions): string {
  const file = o.paths.recipe(client.name, round);
  makeFolder(join(file, ".."));
  replaceFile(file, resolvedYaml(roundRecipe(client, round, o)));
  return file;
}

/** Whether a process of an earlier start still trained the run, and has ended. */
async function survivorEnds(run: string, name: string, { signal, onNotice }: SiteOptions): Promise<boolean> {
  if (!isWritten(run)) return false;
  onNotice(`${name}: waiting for the process that trains ${run} since an earlier start`);
  while (isWritten(run)) await wait(200, undefined, { signal });
  return true;
}

async function fillOutbox(run: string, outbox: string, name: string): Promise<void> {
  const { checkpoint } = await findCheckpoint(runPaths(run));
  if (checkpoint === null)
    throw new RunError(`${name}: ${run} has no whole checkpoint to send; remove the folder and resume`);
  removeDrafts(join(outbox, ".."));
  writeFolder(outbox, (draft) => {
    copyFileSync(join(checkpoint.folder, ADAPTER_WEIGHTS), join(draft, ADAPTER_WEIGHTS));
    writeFileAtomic(join(draft, COUNT), `${JSON.stringify({ examples: trainedExamples(run) })}\n`);
  });
}

/** Training examples of a run, without those that it left out. */
function trainedExamples(run: string): number {
  for (const row of scanJsonl<{ event: string; data?: string; kept?: number }>(runPaths(run).events)) {
    if (row.event === "preflight" && row.data === "data.train") return row.kept!;
  }
  throw new RunError(`${run}: its record does not say how many examples it was trained on`);
}
