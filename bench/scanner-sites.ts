/**
 * What federation is worth to hospitals whose scanners differ: an adapter trained in rounds over four sites, against each
 * site's own adapter and against one on all data pooled, with as many steps of as many examples per site. Every arm answers
 * the same questions about new patients of all four scanners. Finished arms are kept in the folder and not run again.
 * usage: npx tsx bench/scanner-sites.ts FOLDER [--seeds 1,2,3] [--modes fedavg,svd]; needs dist (npm run build)
 */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { meanOf } from "../src/core/mean.ts";
import { crossedBootstrap } from "../src/evaluate/crossed-bootstrap.ts";
import { federate } from "../src/federate/federate.ts";
import { federationPaths, readRound } from "../src/federate/folder.ts";
import { type Federation, loadFederation } from "../src/federate/load.ts";
import { scanJsonl } from "../src/runs/jsonl.ts";
import { createReporter } from "../src/runs/reporter.ts";
import { trainInChild } from "../src/study/child.ts";

const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "1,2,3" },
    modes: { type: "string", default: "fedavg,svd" },
    set: { type: "string", multiple: true, default: [] },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error("usage: bench/scanner-sites.ts FOLDER [--seeds 1,2,3]");
const root = resolve(import.meta.dirname, "..");
const file = join(root, "recipes/federated/scanner-sites.yaml");
const seeds = o.seeds.split(",").map(Number);
const modes = o.modes.split(",");
const signal = new AbortController().signal;
const reporter = createReporter({ quiet: true });
const train = trainInChild({ viva: [join(root, "dist/cli/main.js")], onStep: () => {}, signal });

interface Answer {
  readonly subject: string;
  readonly site: string;
  readonly isRight: number;
}

/** Trains an arm unless its answers are there, and reads them. */
async function answersOf(name: string, federation: Federation): Promise<readonly Answer[]> {
  const run = join(resolve(folder!), name);
  const { evals, federation: begun } = federationPaths(run);
  if (!existsSync(evals)) {
    const started = { train, jobs: 1, reporter, signal, onRound: () => {} };
    await federate(federation, run, { ...started, resume: existsSync(begun) });
  }
  return [...scanJsonl<Item>(evals)].flatMap((row) =>
    row.kind === "item" ? [{ subject: row.subject_id, site: row.strata["site"] ?? "", isRight: row.strict }] : [],
  );
}

interface Item {
  readonly kind: string;
  readonly subject_id: string;
  readonly strata: Readonly<Record<string, string>>;
  readonly strict: number;
}

/** One site alone, or all as one: a single round of all steps, which is that site's own training. */
function alone(whole: Federation, name: string, changes: readonly string[], seed: number): Federation {
  const { rounds, localSteps } = whole;
  const sets = [...o.set, `base.seed=${seed}`, "rounds=1", `local_steps=${rounds * localSteps}`, ...changes];
  const loaded = loadFederation(file, sets);
  return { ...loaded, clients: loaded.clients.filter((client) => client.name === name) };
}

mkdirSync(folder, { recursive: true });
const table = new Map<string, { readonly seed: number; readonly answers: readonly Answer[] }[]>();
const add = async (arm: string, seed: number, run: string, federation: Federation) => {
  const answers = await answersOf(run, federation);
  table.set(arm, [...(table.get(arm) ?? []), { seed, answers }]);
  console.error(`${run}: ${(100 * meanOf(answers.map(({ isRight }) => isRight))!).toFixed(1)} %`);
};
for (const seed of seeds) {
  const whole = loadFederation(file, [...o.set, `base.seed=${seed}`]);
  const { batch_size } = whole.clients[0]!.recipe.stages[0] as unknown as { readonly batch_size: number };
  const { limit } = whole.clients[0]!.recipe.data.train;
  const sites = whole.clients.length;
  for (const mode of modes) await add(mode, seed, `${mode}-${seed}`, { ...whole, mode: mode as Federation["mode"] });
  const pooling = [
    "clients.0.set={data.train.site: mixed}",
    `base.data.train.limit=${limit! * sites}`,
    `base.stages.0.batch_size=${batch_size * sites}`,
  ];
  const first = loadFederation(file).clients.map(({ name }) => name);
  await add("pooled", seed, `pooled-${seed}`, alone(whole, "one", pooling, seed));
  for (const name of first) await add("own site", seed, `own-${name}-${seed}`, alone(whole, name, [], seed));
}

/** By arm: the mean over seeds and sites' adapters, each seed's, and the paired difference to the own site's. */
const accuracyOf = (answers: readonly Answer[]) => meanOf(answers.map(({ isRight }) => isRight))!;
const own = table.get("own site")!;
const ownMean = (seed: number, i: number) =>
  meanOf(own.filter((it) => it.seed === seed).map((it) => it.answers[i]!.isRight))!;
for (const [arm, runs] of table) {
  const bySeed = seeds.map(
    (seed) => meanOf(runs.filter((it) => it.seed === seed).map((it) => accuracyOf(it.answers)))!,
  );
  const differences = runs.flatMap(({ seed, answers }) =>
    answers.map(({ subject, isRight }, i) => ({ subject, seed, value: isRight - ownMean(seed, i) })),
  );
  const interval = arm === "own site" ? null : crossedBootstrap(differences);
  const errors = modes.includes(arm)
    ? seeds.map((seed) => {
        const rounds = loadFederation(file, o.set).rounds;
        const paths = federationPaths(join(resolve(folder), `${arm}-${seed}`));
        return Math.max(...Array.from({ length: rounds }, (_, i) => readRound(paths, i + 1).aggregation_error));
      })
    : null;
  console.log(
    JSON.stringify({
      arm,
      mean: meanOf(bySeed),
      by_seed: bySeed,
      less_own_site: interval,
      aggregation_error_max: errors,
    }),
  );
}
