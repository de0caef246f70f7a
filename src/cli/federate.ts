/** viva federate: rounds of local training at several sites and averaging of their adapters. */
import { join, resolve } from "node:path";
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import { percent } from "../core/percent.ts";
import { shellWord } from "../core/shell-word.ts";
import { federationPaths, openFederation, type RoundRecord } from "../federate/folder.ts";
import { createReporter, type Reporter } from "../runs/reporter.ts";
import { defaultRunFolder } from "../runs/run-folder.ts";
import { trainInChild } from "../study/child.ts";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";

interface FederateOptions {
  readonly set: readonly string[];
  readonly run?: string;
  readonly resume?: boolean;
  readonly jobs: number;
  readonly json?: boolean;
}

export function federateCommand(interruption: Interruption): Command {
  return new Command("federate")
    .argument("[federation]", "YAML file; may be left out with --resume")
    .option("--set <key=value>", "override a key of the file, e.g. mode=svd or base.seed=2 (repeatable)", collect, [])
    .option("--run <folder>", "folder of the federation (default: runs/<name>-<time>)")
    .option("--resume", "go on with the federation in --run; what is done is not done again")
    .option("--jobs <n>", "sites that train at the same time", wholeNumber(1), 1)
    .option("--json", "progress as JSON lines, one per round, the result last")
    .action((file: string | undefined, options: FederateOptions) =>
      interruption.during(async (signal) => {
        const reporter = createReporter({ ...(options.json ? { json: true } : {}) });
        try {
          await run(file, options, reporter, signal);
        } finally {
          reporter.close();
        }
      }),
    );
}

async function run(file: string | undefined, o: FederateOptions, reporter: Reporter, signal: AbortSignal) {
  const { federate } = await import("../federate/federate.ts");
  const { loadFederation } = await import("../federate/load.ts");
  const { resume = false } = o;
  if (resume && o.run === undefined) throw new UserError("federate --resume: name the federation's folder with --run");
  if (file === undefined && !resume) throw new UserError("federate: name a federation file, or --run with --resume");
  const asked = file === undefined ? null : loadFederation(file, o.set);
  const folder = resolve(o.run ?? defaultRunFolder(asked!.name));
  const federation = resume ? openFederation(federationPaths(folder), asked) : asked!;
  const train = trainInChild({
    viva: [...process.execArgv, process.argv[1]!],
    onStep: (run, info) => reporter.step({ ...info, stage: run.split(/[\\/]/).slice(-3).join(" ") }),
    signal,
  });
  const onRound = (record: RoundRecord) => {
    if (o.json) console.log(JSON.stringify({ type: "round", ...record }));
    else reporter.message(roundText(record, federation.rounds));
  };
  const started = { resume, train, jobs: o.jobs, reporter, signal, onRound };
  try {
    const { adapter, rounds } = await federate(federation, folder, started);
    if (o.json) console.log(JSON.stringify({ type: "federated", folder, adapter, rounds: rounds.length }));
    else reporter.message(`adapter: ${adapter}\nwhat left each site: ${join(folder, "sites", "*", "sent.json")}`);
  } catch (error) {
    if (signal.aborted) reporter.warn(`stopped; to go on: viva federate --run ${shellWord(folder)} --resume`);
    throw error;
  }
}

function roundText({ round, clients, aggregation_error: error }: RoundRecord, rounds: number): string {
  const examples = clients.reduce((sum, client) => sum + client.examples, 0);
  return `round ${round} of ${rounds}: ${clients.length} sites, ${examples} examples, aggregation error ${percent(error)} %`;
}
