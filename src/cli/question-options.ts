/** The options that say which questions are asked, for all commands that ask a data set; questions.ts loads them. */
import { type Command, Option } from "commander";
import { protocolNames } from "../evaluate/names.ts";
import type { PromptName } from "../session/checkpoint.ts";
import { wholeNumber } from "./arguments.ts";
import { addViewOptions, type ViewOptions } from "./options.ts";

export interface QuestionOptions extends ViewOptions {
  /** Absent: the run's own evaluation questions. */
  readonly data?: string;
  readonly path?: string;
  readonly split?: string;
  readonly limit?: number;
  readonly seed?: number;
  readonly prompt?: PromptName;
  readonly imageDisjoint?: boolean;
  readonly allowOverlap?: boolean;
}

/** Where neither an option nor a run says it. */
export const questionDefaults = { split: "test", seed: 42 } as const;

/**
 * Adds --data, --path, --split, --limit, --seed and --image-disjoint to a command, and how images are shown. A run's own
 * questions stand in for --data, unless the command names the split that it wants: then --data is required.
 */
export function addQuestionOptions(command: Command, ownSplit: string | null = null): Command {
  const { split, seed } = questionDefaults;
  const otherwise = (text: string) => (ownSplit === null ? ` (default: ${text})` : "");
  const own = otherwise("the questions of a run's own evaluations");
  const data = new Option("--data <name>", `data set (viva data list)${own}`);
  const ofSplit = otherwise(`the run's; of --data, ${split}`);
  const splitOption = new Option("--split <name>", `which of its splits${ofSplit}`);
  const ofSeed = otherwise(`the run's; of --data, ${seed}`);
  const seedOption = new Option("--seed <n>", `chooses the subset; of sampled answers; of generated data${ofSeed}`);
  if (ownSplit !== null) {
    data.makeOptionMandatory();
    splitOption.default(ownSplit);
    seedOption.default(seed);
  }
  command
    .addOption(data)
    .option("--path <folder>", "where its files are: a folder, a file, or hf:org/name on the Hub")
    .addOption(splitOption)
    .option("--limit <n>", "a random subset of this many questions", wholeNumber(1))
    .addOption(seedOption.argParser(wholeNumber(0)))
    .option("--image-disjoint", "split anew so that no image is in two splits")
    .option("--allow-overlap", "of your own data: let the questions share subjects or images with the training data");
  return addViewOptions(command);
}

/** --protocol, without a parser: a command takes one or collects several. */
export function protocolOption(more = ""): Option {
  return new Option("--protocol <name>", `how answers are scored${more}: ${protocolNames.join(", ")}`);
}
