/** viva data: what data sets are known, how to get them, what is in them. */
import { Command } from "commander";
import { datasetSummary, datasets, findDataset, formatDatasetSummary, loadDataset } from "../data/index.ts";
import { wholeNumber } from "./arguments.ts";

interface ShowOptions {
  readonly path?: string;
  readonly split: string;
  readonly seed?: number;
  readonly json?: boolean;
}

export function dataCommand(): Command {
  const list = new Command("list").description("the known data sets").action(() => {
    for (const { name, description, licence } of Object.values(datasets)) {
      console.log(`${name.padEnd(10)} ${description} (${licence})`);
    }
  });
  const show = new Command("show")
    .description("what a data set is, how to get it, and with --path what is in it")
    .argument("<name>", "data set")
    .option("--path <folder>", "where its files are")
    .option("--split <name>", "split to count", "train")
    .option("--seed <n>", "seed of generated data", wholeNumber(0))
    .option("--json", "the same as JSON")
    .action(async (name: string, options: ShowOptions) => {
      const dataset = findDataset(name);
      const counted = options.path !== undefined || name.startsWith("phantom");
      const { description, licence, obtain } = dataset;
      if (!options.json) console.log(`${name}: ${description}\nlicence: ${licence}\nhow to get it: ${obtain}`);
      if (!counted && options.json) console.log(JSON.stringify({ name, description, licence, obtain }));
      if (!counted) return;
      const { path, seed, split } = options;
      const examples = await loadDataset({
        name,
        split,
        ...(path === undefined ? {} : { path }),
        ...(seed === undefined ? {} : { seed }),
      });
      const summary = datasetSummary(examples);
      console.log(
        options.json
          ? JSON.stringify({ name, description, licence, obtain, ...summary })
          : formatDatasetSummary(summary),
      );
    });
  return new Command("data").description("data sets: list, show").addCommand(list).addCommand(show);
}
