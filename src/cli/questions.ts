/** The options that say which questions are asked, for all commands that ask a data set, and loading those questions. */
import { type Command, Option } from "commander";
import { MissingSplit, UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type DataNotice, dataNotices, loadDataset, splitName } from "../data/index.ts";
import { protocols } from "../evaluate/index.ts";
import { type PromptName, promptStyle, questionsAskedBy } from "../session/checkpoint.ts";
import { requireNoTags } from "../session/checks.ts";
import { evaluationSubset } from "../session/examples.ts";
import { describeNotice } from "../session/preflight.ts";
import { judgeOverlap } from "../session/shared-subjects.ts";
import { locateDataset } from "../session/sources.ts";
import { wholeNumber } from "./arguments.ts";
import { addViewOptions, downloadReporter, type ViewOptions, viewAsked } from "./options.ts";

export interface QuestionOptions extends ViewOptions {
  readonly data: string;
  readonly path?: string;
  readonly split: string;
  readonly limit?: number;
  readonly seed: number;
  readonly prompt?: PromptName;
  readonly imageDisjoint?: boolean;
  readonly allowOverlap?: boolean;
}

/** What is loaded beside the questions. */
export interface LoadedBeside {
  /** The training split, for baselines. */
  readonly train?: boolean;
  /** The split that chooses the best baseline; one that is not required may be absent. */
  readonly validation?: ValidationSplit | null;
}

interface ValidationSplit {
  readonly split: string;
  readonly required: boolean;
}

/** Validation questions are at most as many as the questions, and not more than these (ours). */
const MOST_VALIDATION = 500;

/** Adds --data, --path, --split, --limit, --seed and --image-disjoint to a command, and how images are shown. */
export function addQuestionOptions(command: Command, split = "test"): Command {
  command
    .requiredOption("--data <name>", "data set (viva data list)")
    .option("--path <folder>", "where its files are: a folder, a file, or hf:org/name on the Hub")
    .option("--split <name>", "which of its splits", split)
    .option("--limit <n>", "a random subset of this many questions", wholeNumber(1))
    .option("--seed <n>", "chooses the subset; of sampled answers; of generated data", wholeNumber(0), 42)
    .option("--image-disjoint", "split anew so that no image is in two splits")
    .option("--allow-overlap", "of your own data: let the questions share subjects or images with the training data");
  return addViewOptions(command);
}

/** --protocol, without a parser: a command takes one or collects several. */
export function protocolOption(more = ""): Option {
  const names = Object.keys(protocols).join(", ");
  return new Option("--protocol <name>", `how answers are scored${more}: ${names}`);
}

/**
 * The questions, and where asked for the training split that baselines count (null, with a word on stderr, for none) and
 * validation questions. Images are shown as the run that a checkpoint belongs to shows them, where the options say nothing
 * else.
 */
export async function loadQuestions(
  checkpoint: string | undefined,
  o: QuestionOptions,
  signal: AbortSignal,
  { train: withTrain = true, validation: asked = null }: LoadedBeside = {},
) {
  const where = { key: "--path", reporter: downloadReporter(), signal };
  const source = {
    name: o.data,
    seed: o.seed,
    imageDisjoint: o.imageDisjoint ?? false,
    view: viewAsked(o, checkpoint === undefined ? {} : questionsAskedBy(checkpoint).view),
    ...(o.path === undefined ? {} : { path: (await locateDataset(o.path, where)).folder }),
  };
  const onNotice = (notice: DataNotice) => console.error(`warning: ${describeNotice(notice)}`);
  const split = await loadDataset({ ...source, split: o.split, onNotice });
  const examples = evaluationSubset(split, o.limit ?? null, o.seed);
  for (const notice of await dataNotices(examples)) onNotice(notice);
  if (o.prompt !== undefined) requireNoTags(examples, promptStyle(o.prompt).style);
  if (!withTrain) return { examples, train: null, validation: [] };
  const train = await loadDataset({ ...source, split: "train" }).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    console.error(`no baselines, the training split cannot be read: ${error.message}`);
    return null;
  });
  if (train === null) return { examples, train, validation: [] };
  tellOverlap(o, train, examples);
  const validation = await validationQuestions(source, o, asked);
  return {
    examples,
    train,
    validation: evaluationSubset(validation, Math.min(examples.length, MOST_VALIDATION), o.seed),
  };
}

/** Those of the split asked for; none where the questions themselves are of it, or where it is not required and there is none. */
async function validationQuestions(
  source: Parameters<typeof loadDataset>[0],
  o: QuestionOptions,
  asked: ValidationSplit | null,
): Promise<readonly Example[]> {
  if (asked === null || splitName(asked.split) === splitName(o.split)) return [];
  const split = splitName(asked.split);
  return loadDataset({ ...source, split }).catch((error: unknown) => {
    if (asked.required || !(error instanceof MissingSplit)) throw error;
    return [];
  });
}

/** Stops where questions of one's own data are about subjects that were trained on, and warns of others'. */
export function tellOverlap(o: QuestionOptions, seen: readonly Example[], examples: readonly Example[]): void {
  const allowed = { isAllowed: o.allowOverlap ?? false, allow: "--allow-overlap" };
  const warning = judgeOverlap(seen, { name: o.data, split: o.split, examples, ...allowed });
  if (warning !== null) console.error(`warning: ${warning}`);
}

/** What a results file says of the questions. */
export function describeQuestions(o: QuestionOptions, questions: number) {
  const { data: name, split, limit = null, seed, imageDisjoint = false } = o;
  return { name, split, questions, limit, seed, image_disjoint: imageDisjoint };
}
