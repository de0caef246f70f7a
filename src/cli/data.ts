/** viva data: what data sets are known, how to get them, what is in them. */
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import { alignColumns } from "../core/text-table.ts";
import {
  type DataNotice,
  dataNotices,
  datasetSummary,
  datasets,
  describeSamples,
  disjointSplit,
  findDataset,
  formatDatasetSummary,
  formatLeaks,
  imagePrints,
  leaksBetween,
  loadSplits,
} from "../data/index.ts";
import { describeNotice } from "../session/preflight.ts";
import { locateDataset } from "../session/sources.ts";
import { type Interruption, wholeNumber } from "./arguments.ts";
import { importCommand } from "./data-import.ts";
import { downloadReporter } from "./options.ts";

interface ShowOptions {
  readonly path?: string;
  readonly split?: string;
  readonly seed?: number;
  readonly imageDisjoint?: boolean;
  readonly leaks: boolean;
  readonly json?: boolean;
}

interface GetOptions {
  readonly json?: boolean;
}

export function dataCommand(interruption: Interruption): Command {
  const list = new Command("list")
    .description("the known data sets")
    .option("--json", "the same as a JSON list")
    .action(({ json }: { readonly json?: boolean }) => {
      const known = Object.values(datasets).map(({ name, description, licence, obtain }) => {
        return { name, description, licence, obtain };
      });
      if (json) return console.log(JSON.stringify(known));
      const rows = known.map(({ name, description, licence }) => [name, `${description} (${licence})`]);
      console.log(alignColumns(rows).join("\n"));
    });
  const showing = new Command("show")
    .description("what a data set is, how to get it, and with --path what is in it")
    .argument("<name>", "data set")
    .option("--path <folder>", "where its files are: a folder, a file, or hf:org/name on the Hub")
    .option("--split <name>", "count this split alone (default: all)")
    .option("--image-disjoint", "split anew so that no image is in two splits")
    .option("--no-leaks", "do not look for images that splits share, which reads every image")
    .option("--seed <n>", "seed of generated data", wholeNumber(0))
    .option("--json", "the same as JSON")
    .action((name: string, options: ShowOptions) => interruption.during((signal) => show(name, options, signal)));
  const getting = new Command("get")
    .description("download a data set from the Hugging Face Hub into its cache, and print the folder")
    .argument("<name>", "data set of viva data list that is on the Hub, or org/name[@revision]")
    .option("--json", "the folder and the commit as JSON")
    .action((name: string, options: GetOptions) => interruption.during((signal) => get(name, options, signal)));
  const data = new Command("data");
  return data.addCommand(list).addCommand(showing).addCommand(getting).addCommand(importCommand(interruption));
}

async function get(name: string, options: GetOptions, signal: AbortSignal): Promise<void> {
  const known = Object.values(datasets).find((dataset) => dataset.name === name);
  const id = known === undefined ? name : known.downloadable && known.hubName;
  if (id === undefined) throw new UserError(`viva cannot download "${name}". To get it: ${known?.obtain}`);
  const { folder, commit } = await locateDataset(id, {
    key: "data get",
    isHubId: true,
    reporter: downloadReporter(),
    signal,
  });
  console.log(options.json ? JSON.stringify({ folder, commit }) : folder);
  if (known !== undefined && !options.json) console.error(`what is left to do: ${known.obtain}`);
}

async function show(name: string, options: ShowOptions, signal: AbortSignal): Promise<void> {
  const dataset = findDataset(name);
  const counted = options.path !== undefined || dataset.generated === true;
  const { description, licence, obtain } = dataset;
  if (!options.json) console.log(`${name}: ${description}\nlicence: ${licence}\nhow to get it: ${obtain}`);
  if (!counted && options.json) console.log(JSON.stringify({ name, description, licence, obtain }));
  if (!counted) return;
  const reporter = downloadReporter();
  const path =
    options.path === undefined
      ? undefined
      : (await locateDataset(options.path, { key: "--path", reporter, signal })).folder;
  const leftOut: DataNotice[] = [];
  const source = {
    onNotice: (notice: DataNotice) => void leftOut.push(notice),
    ...(path === undefined ? {} : { path }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  };
  const splits = new Map(
    await loadSplits(dataset, { ...source, ...(options.split === undefined ? {} : { only: options.split }) }),
  );
  if (options.imageDisjoint) {
    const again = { ...source, onNotice: () => {} };
    for (const split of splits.keys()) splits.set(split, await disjointSplit(dataset, { ...again, split }));
  }
  const all = [...splits.values()].flat();
  const leaks = options.leaks && splits.size > 1 ? leaksBetween(splits, await imagePrints(all)) : [];
  if (options.json) {
    const by_split = Object.fromEntries([...splits].map(([split, examples]) => [split, datasetSummary(examples)]));
    console.log(
      JSON.stringify({
        name,
        description,
        licence,
        obtain,
        ...datasetSummary(all),
        by_split,
        leaks,
        notices: [...leftOut, ...(await dataNotices(all))],
      }),
    );
    return;
  }
  for (const [split, examples] of splits) console.log(`\n${split}\n${formatDatasetSummary(datasetSummary(examples))}`);
  if (leaks.length > 0) console.log(`\n${formatLeaks(leaks)}`);
  console.log(`\n${describeSamples(all)}`);
  for (const notice of leftOut) console.log(`warning: ${describeNotice(notice)}`);
  for (const [split, examples] of splits) {
    for (const notice of await dataNotices(examples)) console.log(`warning: ${split}: ${describeNotice(notice)}`);
  }
}
