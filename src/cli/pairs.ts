/** viva pairs: preference pairs from the record of a run, by a reward or by people's marks. */
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import { replaceFile } from "../runs/durable.ts";
import { requireRun } from "../runs/run-folder.ts";
import { decimalNumber, type Interruption } from "./arguments.ts";
import { outOption } from "./options.ts";

interface PairsOptions {
  readonly out: string;
  readonly by: string;
  readonly minGap: number;
}

/** What `--by` calls people's marks. */
const MARKS = "marks";

export function pairsCommand(interruption: Interruption): Command {
  return new Command("pairs")
    .argument("<run>", "a run folder with rollouts")
    .addOption(outOption("the JSONL file of pairs"))
    .option(
      "--by <name>",
      `reward (the sum trained on), a reward's name, or ${MARKS} for what people marked in viva ui`,
      "reward",
    )
    .option("--min-gap <number>", "leave out pairs that score closer together than this", decimalNumber(0), 0)
    .action((run: string, o: PairsOptions) => interruption.during(() => writePairs(run, o)));
}

async function writePairs(run: string, { out, by, minGap }: PairsOptions): Promise<void> {
  const { pairImages } = await import("../session/pair-images.ts");
  const { markedPairs } = await import("../ui/index.ts");
  requireRun(run);
  const found = by === MARKS ? { rows: markedPairs(run), told: "" } : await scoredPairs(run, { by, minGap });
  if (found.rows.length === 0) throw new UserError(`${run}: no pairs by ${by}${found.told}`);
  const place = pairImages(run, out);
  const lines: string[] = [];
  for (const row of found.rows) {
    const images = await Promise.all(row.images.map(place));
    lines.push(JSON.stringify({ ...row, images }));
  }
  replaceFile(out, `${lines.join("\n")}\n`);
  console.log(`wrote ${lines.length} pairs by ${by} to ${out}${found.told}`);
}

async function scoredPairs(run: string, o: Pick<PairsOptions, "by" | "minGap">) {
  const { pairsOfRun } = await import("../session/run-pairs.ts");
  const { rows, groups, left } = await pairsOfRun(run, o);
  const { tied, below_gap, worse_answer } = left;
  const told = `; of ${groups} groups ${tied} tied, ${below_gap} closer than --min-gap, ${worse_answer} with the worse answer first`;
  return { rows, told };
}
