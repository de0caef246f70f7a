/** viva serve: a model behind an OpenAI-compatible API or the Tinker API, or rewards; what it takes is loaded when it runs. */
import { Command, Option } from "commander";
import { collect, decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { addControlOptions } from "./control-options.ts";
import { addViewOptions, checkpointArgument, deviceOption, promptNames } from "./options.ts";
import type { ServeCommandOptions } from "./serve-asked.ts";

const A_WEEK = 604_800;

export function serveCommand(interruption: Interruption, version: string): Command {
  const command = new Command("serve")
    .addArgument(checkpointArgument().argOptional())
    .option("--rewards <recipe>", "serve the rewards of this recipe to other trainers, in place of a model")
    .option("--set <key=value>", "with --rewards: override a key of the recipe (repeatable)", collect, [])
    .option("--stage <n>", "with --rewards: the stage whose rewards are served, from 0", wholeNumber(0))
    .option("--max-rows <n>", "with --rewards: completions of one request", wholeNumber(1), 4096)
    .option("--host <address>", "address to listen on; one that others can reach needs an API key", "127.0.0.1")
    .option("--port <n>", "port; 0 takes a free one", wholeNumber(0, 65535), 8000)
    .option("--api-key-file <file>", "file with the key that clients must send (or set VIVA_API_KEY)")
    .option(
      "--model-name <name>",
      "what requests call the model (default: the id on the Hub, or the last part of the path)",
    )
    .addOption(
      new Option(
        "--prompt-style [style]",
        "put user messages as questions in this style; without a name, in the prompt that the run was trained with",
      ).choices(promptNames),
    )
    .option("--step <n>", "a run's checkpoint of this step (default: the newest)", wholeNumber(0))
    .addOption(deviceOption());
  return addControlOptions(addViewOptions(command, "the run's, else "))
    .option("--threads <n>", "threads of the engine; 0 lets it choose", wholeNumber(0, 1024), 0)
    .option("--rows <n>", "completions decoded at the same time", wholeNumber(1), 32)
    .option(
      "--cache-gb <n>",
      "memory for keys and values; long requests then share it in fewer rows",
      decimalNumber(0),
      2,
    )
    .option("--max-queue <n>", "requests that may wait; further ones get 429", wholeNumber(1), 128)
    .option("--max-body-mb <n>", "largest request", decimalNumber(0.001), 20)
    .option("--max-image-megapixels <n>", "largest image", decimalNumber(0.001), 32)
    .option("--max-prompt-tokens <n>", "longest prompt, image tokens counted", wholeNumber(1), 8192)
    .option("--max-completion-length <n>", "most tokens of a choice, and its default", wholeNumber(1), 1024)
    .option(
      "--request-timeout-s <n>",
      "time from a request to the end of its answer",
      decimalNumber(0.001, A_WEEK),
      600,
    )
    .option(
      "--shutdown-timeout-s <n>",
      "time that running requests have when the server stops",
      decimalNumber(0, A_WEEK),
      30,
    )
    .option("--tinker", "speak the Tinker API instead: clients train adapters on the model and sample from them")
    .option("--store <folder>", "with --tinker, where checkpoints are kept", "runs/tinker")
    .option("--max-models <n>", "with --tinker, models in training at the same time", wholeNumber(1), 8)
    .option("--max-sessions <n>", "with --tinker, clients at the same time", wholeNumber(1), 32)
    .option(
      "--session-timeout-s <n>",
      "with --tinker, silence after which a client is gone",
      decimalNumber(1, A_WEEK),
      120,
    )
    .option("--json", "print where it listens as JSON")
    .action((checkpoint: string | undefined, options: ServeCommandOptions) =>
      interruption.during(async (signal) => {
        const { serveAsked } = await import("./serve-asked.ts");
        await serveAsked(checkpoint, options, version, signal);
      }),
    );
}
