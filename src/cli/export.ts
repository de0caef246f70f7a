/** viva export: a checkpoint as an adapter or a whole model that other tools load. */
import { Command, InvalidArgumentError, Option } from "commander";
import { byteSize, type Interruption, wholeNumber } from "./arguments.ts";
import { checkpointArgument, downloadReporter } from "./options.ts";

interface ExportCommandOptions {
  readonly out: string;
  readonly what: "adapter" | "merged" | "both";
  readonly dtype: "float32" | "bfloat16";
  readonly maxShardSize: number;
  readonly step?: number;
  readonly baseModel?: string;
  readonly dataName?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

export function exportCommand(interruption: Interruption): Command {
  return new Command("export")
    .addArgument(checkpointArgument())
    .requiredOption("--out <folder>", "where to write; a new or empty folder")
    .addOption(
      new Option(
        "--what <kind>",
        "the adapter, the model with the adapter merged into it, or both in folders of their own",
      )
        .choices(["adapter", "merged", "both"])
        .default("merged"),
    )
    .addOption(new Option("--dtype <type>", "of merged weights").choices(["float32", "bfloat16"]).default("float32"))
    .option("--max-shard-size <size>", "largest weight file, e.g. 500MB", byteSize, byteSize("5GB"))
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--base-model <name>", "the base model's name on the Hub, for the card and the adapter")
    .option("--data-name <name>", "what the card calls data of your own (default: its folder's name)", cardText)
    .option("--overwrite", "replace an earlier export in --out")
    .option("--json", "print what was written as JSON")
    .action((checkpoint: string, options: ExportCommandOptions) =>
      interruption.during((signal) => write(checkpoint, options, signal)),
    );
}

/** A name on one line of the card. */
function cardText(text: string): string {
  const name = text.replace(/\s+/g, " ").trim();
  if (name !== "") return name;
  throw new InvalidArgumentError("Expected a name.");
}

async function write(
  checkpoint: string,
  { maxShardSize, json, overwrite, ...options }: ExportCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const { exportCheckpoint } = await import("../export/export.ts");
  const source = { reporter: downloadReporter(), signal };
  const o = { ...options, ...source, maxShardBytes: maxShardSize, overwrite: overwrite ?? false };
  const exported = await exportCheckpoint(checkpoint, o);
  if (json) {
    console.log(JSON.stringify(exported));
    return;
  }
  for (const [file, bytes] of Object.entries(exported.files)) console.log(`${file}  ${bytes} bytes`);
  console.log(`exported ${exported.checkpoint} to ${exported.out}`);
}
