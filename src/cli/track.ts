/** viva track: hands a run over to an experiment tracker, once or as it grows. */
import { setTimeout as wait } from "node:timers/promises";
import { Command, Option } from "commander";
import { UserError } from "../core/errors.ts";
import { requireRun } from "../runs/run-folder.ts";
import type { HandedOver } from "../track/hand-over.ts";
import { type TrackOptions, trackSchema } from "../track/options.ts";
import { type TrackerName, trackers } from "../track/table.ts";
import type { Interruption } from "./arguments.ts";

interface Options {
  readonly to: TrackerName;
  readonly at?: string;
  readonly project?: string;
  readonly rollouts: boolean;
  readonly withImages?: boolean;
  readonly follow?: boolean;
  readonly json?: boolean;
}

const followEveryMs = 2_000;

export function trackCommand(interruption: Interruption): Command {
  return new Command("track")
    .argument("<run>", "run folder")
    .addOption(new Option("--to <tracker>", "the tracker").choices(Object.keys(trackers)).makeOptionMandatory())
    .option("--at <place>", "folder of tensorboard and wandb (default: in the run); address of mlflow and trackio")
    .option("--project <name>", "project or experiment (default: the recipe's name)")
    .option("--no-rollouts", "send no sample completions")
    .option("--with-images", "show the images of sample completions too")
    .option("--follow", "go on until the run ends, or until Ctrl-C")
    .option("--json", "print what was handed over as JSON")
    .action(async (folder: string, options: Options) => {
      requireRun(folder);
      await interruption.during(async (signal) => {
        const { at, handed } = await track(folder, options, signal);
        console.log(options.json ? JSON.stringify({ to: options.to, at, ...handed }) : inWords(options.to, at, handed));
      });
    });
}

async function track(
  folder: string,
  options: Options,
  signal: AbortSignal,
): Promise<{ readonly at: string; readonly handed: HandedOver }> {
  const { runImages } = await import("../session/run-images.ts");
  const { openHandOver } = await import("../track/hand-over.ts");
  const handOver = openHandOver(folder, trackOptions(options), runImages(folder));
  try {
    let handed = await handOver.send();
    while (options.follow && !handed.ended && !signal.aborted) {
      await wait(followEveryMs, undefined, { signal }).catch(() => {});
      handed = await handOver.send();
    }
    return { at: handOver.at, handed };
  } finally {
    handOver.close();
  }
}

function trackOptions({ to, at, project, rollouts, withImages }: Options): TrackOptions {
  const parsed = trackSchema.safeParse({ to, at, project, rollouts, with_images: withImages });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new UserError(`track: --${String(path[0]).replaceAll("_", "-")} ${message}`);
}

function inWords(to: string, at: string, { steps, evaluations, samples, ended }: HandedOver): string {
  const parts = [counted(steps, "step"), counted(evaluations, "evaluation"), counted(samples, "sample")];
  return `${to} at ${at}: ${parts.join(", ")}; ${ended ? "the run is complete there" : "the run goes on"}`;
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
