/**
 * The table of viva's commands. A command's code is loaded when it is called, or asked for its own help: the list of all
 * needs what stands here alone.
 */
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import type { Interruption } from "./arguments.ts";
import { versionText } from "./version.ts";

/** What commands are made with. */
export interface CommandContext {
  readonly interruption: Interruption;
  readonly version: string;
  /** The program with the code of all commands. */
  readonly whole: () => Promise<Command>;
}

export interface CommandEntry {
  readonly name: string;
  /** What the list of commands shows behind the name. */
  readonly takes: string;
  readonly description: string;
  /** Started by viva itself; no help lists it. */
  readonly hidden?: boolean;
  /** Its options, arguments and action. */
  readonly load: (context: CommandContext) => Promise<Command>;
}

/** In the order of the list. */
export const commands: readonly CommandEntry[] = [
  {
    name: "demo",
    takes: "[options]",
    description:
      "tune a small model on generated images, supervised and by GRPO, and compare the two with where they began",
    load: async ({ interruption }) => (await import("./demo.ts")).demoCommand(interruption),
  },
  {
    name: "init",
    takes: "[options] [file]",
    description: "write a recipe for your data: asks on a terminal, or takes the options",
    load: async ({ interruption }) => (await import("./init.ts")).initCommand(interruption),
  },
  {
    name: "check",
    takes: "[options] <recipe>",
    description: "look over a recipe before it runs: model, data, memory, and what its rewards say; nothing is written",
    load: async ({ interruption }) => (await import("./check.ts")).checkCommand(interruption),
  },
  {
    name: "train",
    takes: "[options] [recipe]",
    description: "run a recipe: supervised and reinforcement stages, evaluations, checkpoints",
    load: async ({ interruption, version }) => (await import("./train.ts")).trainCommand(interruption, version),
  },
  {
    name: "study",
    takes: "[options] [study]",
    description: "run a study: arms times seeds, shared starts trained once, then tables and a report",
    load: async ({ interruption, version }) => (await import("./study.ts")).studyCommand(interruption, version),
  },
  {
    name: "federate",
    takes: "[options] [federation]",
    description: "train adapters at several sites on their own data, and average them in rounds",
    load: async ({ interruption }) => (await import("./federate.ts")).federateCommand(interruption),
  },
  {
    name: "eval",
    takes: "[options] [checkpoint]",
    description: "measure a checkpoint, a run, a model behind an endpoint or a file of predictions on a data set",
    load: async ({ interruption }) => (await import("./eval.ts")).evalCommand(interruption),
  },
  {
    name: "compare",
    takes: "[options] <evaluations...>",
    description: "compare evaluations of the same questions, each with the first, question by question",
    load: async () => (await import("./compare.ts")).compareCommand(),
  },
  {
    name: "probe",
    takes: "[options] <checkpoint>",
    description: "probe a checkpoint's reasoning, bias and robustness on a data set",
    load: async ({ interruption }) => (await import("./probe.ts")).probeCommand(interruption),
  },
  {
    name: "audit",
    takes: "[options] [checkpoint]",
    description: "stress a model where it fails: an adaptive draw of questions, rates without bias, the weakest cells",
    load: async ({ interruption }) => (await import("./audit.ts")).auditCommand(interruption),
  },
  {
    name: "calibrate",
    takes: "[options] <checkpoint>",
    description: "choose when thoughts may end: the threshold that saves most tokens and loses at most a point",
    load: async ({ interruption }) => (await import("./calibrate.ts")).calibrateCommand(interruption),
  },
  {
    name: "index",
    takes: "[options] <checkpoint>",
    description: "make an index of solved cases with their experts, by which --route answers questions",
    load: async ({ interruption }) => (await import("./index-cases.ts")).indexCommand(interruption),
  },
  {
    name: "generate",
    takes: "[options] <checkpoint>",
    description: "sample completions for rows of a file",
    load: async ({ interruption }) => (await import("./generate.ts")).generateCommand(interruption),
  },
  {
    name: "logprobs",
    takes: "[options] <checkpoint>",
    description: "per-token log-probs of given completions, the closing end-of-turn token included",
    load: async ({ interruption }) => (await import("./logprobs.ts")).logprobsCommand(interruption),
  },
  {
    name: "serve",
    takes: "[options] [checkpoint]",
    description: "answer chat requests over an OpenAI-compatible API",
    load: async ({ interruption, version }) => (await import("./serve.ts")).serveCommand(interruption, version),
  },
  {
    name: "rewards",
    takes: "",
    description: "use viva's rewards from other trainers, and audit them",
    load: async ({ interruption }) => (await import("./rewards.ts")).rewardsCommand(interruption),
  },
  {
    name: "export",
    takes: "[options] <checkpoint>",
    description: "write a checkpoint as a PEFT adapter or a whole model in Hugging Face layout, with a model card",
    load: async ({ interruption }) => (await import("./export.ts")).exportCommand(interruption),
  },
  {
    name: "derive",
    takes: "[options] <checkpoint>",
    description: "write a checkpoint with its matrices rounded or pruned, to measure what a deployment would break",
    load: async ({ interruption }) => (await import("./derive.ts")).deriveCommand(interruption),
  },
  {
    name: "merge",
    takes: "[options] <adapters...>",
    description: "merge adapters of one model into it: the mean, the sum, or TIES on their dense updates",
    load: async ({ interruption }) => (await import("./merge.ts")).mergeCommand(interruption),
  },
  {
    name: "reprogram",
    takes: "[options] <checkpoint>",
    description: "new classes for a frozen model: train a change of pixels, and which of its answers stands for which",
    load: async ({ interruption }) => (await import("./reprogram.ts")).reprogramCommand(interruption),
  },
  {
    name: "bags",
    takes: "",
    description: "bags of patch features with a number each: encode, train",
    load: async ({ interruption }) => (await import("./bags.ts")).bagsCommand(interruption),
  },
  {
    name: "pairs",
    takes: "[options] <run>",
    description: "write preference pairs from a run's rollouts: the best against the worst completion of each group",
    load: async ({ interruption }) => (await import("./pairs.ts")).pairsCommand(interruption),
  },
  {
    name: "report",
    takes: "[options] <run...>",
    description: "write an HTML report of a run, or of several runs side by side",
    load: async () => (await import("./report.ts")).reportCommand(),
  },
  {
    name: "track",
    takes: "[options] <run>",
    description: "hand a run over to an experiment tracker; what it has already is not sent again",
    load: async ({ interruption }) => (await import("./track.ts")).trackCommand(interruption),
  },
  {
    name: "ui",
    takes: "[options] [root...]",
    description: "watch runs, read their rollouts, compare and judge them, in a browser",
    load: async ({ interruption, version }) => (await import("./ui.ts")).uiCommand(interruption, version),
  },
  {
    name: "bench",
    takes: "",
    description: "speed measurements: step",
    load: async ({ interruption }) => (await import("./bench.ts")).benchCommand(interruption),
  },
  {
    name: "data",
    takes: "",
    description: "data sets: list, show, get, import",
    load: async ({ interruption }) => (await import("./data.ts")).dataCommand(interruption),
  },
  {
    name: "doctor",
    takes: "[options]",
    description: "show hardware, devices, versions, and speeds measured now; nothing is written",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  {
    name: "completion",
    takes: "<shell>",
    description: "print a script that completes viva's commands and options in a shell",
    load: async ({ whole }) => (await import("./completion.ts")).completionCommand(whole),
  },
  {
    name: "study-timing",
    takes: "",
    description: "time a stage for viva study, which starts this",
    hidden: true,
    load: async ({ interruption }) => (await import("./study-timing.ts")).studyTimingCommand(interruption),
  },
  {
    name: "cluster-probe",
    takes: "",
    description: "say what this node sees, for viva study --ray and train --ray, which start this",
    hidden: true,
    load: async ({ version }) => (await import("./on-ray.ts")).clusterProbeCommand(version),
  },
];

/** The program with the code of the commands that `isCalled` names; of the others it knows what its list shows. */
export async function openProgram(
  context: Pick<CommandContext, "interruption" | "version"> & { readonly argv: readonly string[] },
  isCalled: (name: string) => boolean,
): Promise<Command> {
  const takes = new Map(commands.map((entry) => [entry.name, entry.takes]));
  const program = new Command("viva")
    .description("Reinforcement fine-tuning of vision-language models for medical visual question answering")
    .version(
      versionText(context.version, context.argv),
      "-V, --version",
      "print the version; with --json also what it runs on",
    )
    .configureHelp({
      subcommandTerm: (command) => `${command.name()} ${takes.get(command.name()) ?? "[command]"}`.trim(),
    });
  const whole = () => openProgram(context, () => true);
  for (const { name, description, hidden = false, load } of commands) {
    const command = isCalled(name) ? await load({ ...context, whole }) : new Command(name);
    program.addCommand(command.description(description), { hidden });
  }
  program.addHelpText("after", `\nDocumentation: ${fileURLToPath(new URL("../../docs/README.md", import.meta.url))}`);
  for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])])
    command.showHelpAfterError("(--help shows what is known)");
  return program;
}
