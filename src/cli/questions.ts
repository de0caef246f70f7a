/** Loading the questions that options ask for: of a data set, or of a run's own evaluations. */
import { MissingSplit, UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type Copies, type DataNotice, dataNotices, loadDataset, splitName } from "../data/index.ts";
import { promptStyle, questionsAskedBy } from "../session/checkpoint.ts";
import { requireNoTags } from "../session/checks.ts";
import { evaluationSubset } from "../session/examples.ts";
import { describeNotice } from "../session/preflight.ts";
import { questionsOfRun } from "../session/run-questions.ts";
import { judgeOverlap } from "../session/shared-subjects.ts";
import { locateDataset } from "../session/sources.ts";
import { downloadReporter, viewAsked } from "./options.ts";
import { type QuestionOptions, questionDefaults } from "./question-options.ts";

/** What options and a run come to. */
export interface AskedQuestions {
  readonly data: string;
  readonly split: string;
  readonly limit: number | undefined;
  readonly seed: number;
  readonly imageDisjoint: boolean;
  readonly allowOverlap: boolean;
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

/** Where questions come from. */
interface QuestionSource {
  readonly asked: AskedQuestions;
  examples(): Promise<readonly Example[]>;
  training(): Promise<readonly Example[]>;
  of(split: string): Promise<readonly Example[]>;
}

/** Validation questions are at most as many as the questions, and not more than these (ours). */
const MOST_VALIDATION = 500;

/**
 * The questions with the options as they were meant, and where asked for the training split that baselines count (null, with a
 * word on stderr, for none) and validation questions. Images are shown as the run that a checkpoint belongs to shows them, where
 * the options say nothing else.
 */
export async function loadQuestions<Options extends QuestionOptions>(
  checkpoint: string | undefined,
  o: Options,
  signal: AbortSignal,
  { train: withTrain = true, validation: wanted = null }: LoadedBeside = {},
): Promise<{
  readonly asked: Options & AskedQuestions;
  readonly examples: readonly Example[];
  readonly train: readonly Example[] | null;
  readonly validation: readonly Example[];
  /** Of the questions' images, those of the training split under another name. */
  readonly copies: Copies;
}> {
  const source = o.data === undefined ? ofRun(checkpoint, o, signal) : await ofDataset(checkpoint, o, o.data, signal);
  const asked = { ...o, ...source.asked };
  const examples = await source.examples();
  for (const notice of await dataNotices(examples)) onNotice(notice);
  if (o.prompt !== undefined) requireNoTags(examples, promptStyle(o.prompt).style);
  if (!withTrain) return { asked, examples, train: null, validation: [], copies: NO_COPIES };
  const train = await source.training().catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    console.error(`no baselines, the training split cannot be read: ${error.message}`);
    return null;
  });
  if (train === null) return { asked, examples, train, validation: [], copies: NO_COPIES };
  const copies = await tellOverlap(asked, train, examples);
  const validation = await validationQuestions(source, wanted);
  const most = Math.min(examples.length, MOST_VALIDATION);
  return { asked, examples, train, copies, validation: evaluationSubset(validation, most, asked.seed) };
}

const NO_COPIES: Copies = new Map();

async function ofDataset(
  checkpoint: string | undefined,
  o: QuestionOptions,
  data: string,
  signal: AbortSignal,
): Promise<QuestionSource> {
  const { split = questionDefaults.split, seed = questionDefaults.seed, limit } = o;
  const { imageDisjoint = false, allowOverlap = false } = o;
  const where = { key: "--path", reporter: downloadReporter(), signal };
  const source = {
    ...{ name: data, seed, imageDisjoint },
    view: viewAsked(o, checkpoint === undefined ? {} : questionsAskedBy(checkpoint).view),
    ...(o.path === undefined ? {} : { path: (await locateDataset(o.path, where)).folder }),
  };
  return {
    asked: { data, split, limit, seed, imageDisjoint, allowOverlap },
    examples: async () => evaluationSubset(await loadDataset({ ...source, split, onNotice }), limit ?? null, seed),
    training: () => loadDataset({ ...source, split: "train" }),
    of: (name) => loadDataset({ ...source, split: name }),
  };
}

/** Says on stderr which questions these are. */
function ofRun(checkpoint: string | undefined, o: QuestionOptions, signal: AbortSignal): QuestionSource {
  if (checkpoint === undefined) throw new UserError("--data is missing: name the data set to ask (viva data list)");
  const more = {
    "--path": o.path,
    "--image-disjoint": o.imageDisjoint,
    "--window": o.window,
    "--image-range": o.imageRange,
  };
  const foreign = Object.entries(more).find(([, value]) => value !== undefined)?.[0];
  if (foreign !== undefined)
    throw new UserError(`${foreign} belongs to --data NAME; a run's own questions are as it asks them`);
  const own = questionsOfRun(checkpoint, o, { reporter: downloadReporter(), signal });
  const { name, split, limit, seed, imageDisjoint } = own;
  const some = limit === null ? "" : `, ${limit} chosen with seed ${seed}`;
  console.error(`no --data: the run's own evaluation questions, ${name}, split ${split}${some}`);
  return {
    ...own,
    asked: {
      ...{ data: name, split, limit: limit ?? undefined, seed, imageDisjoint },
      allowOverlap: o.allowOverlap ?? own.allowOverlap,
    },
    async examples() {
      const { examples, skipped, notices } = await own.examples();
      for (const notice of notices) onNotice(notice);
      const [first] = skipped;
      if (first !== undefined) console.error(`warning: ${skipped.length} left out, the first: ${first.reason}`);
      return examples;
    },
  };
}

function onNotice(notice: DataNotice): void {
  console.error(`warning: ${describeNotice(notice)}`);
}

/** Those of the split asked for; none where the questions themselves are of it, or where it is not required and there is none. */
async function validationQuestions(
  { asked, of }: QuestionSource,
  wanted: ValidationSplit | null,
): Promise<readonly Example[]> {
  if (wanted === null || splitName(wanted.split) === splitName(asked.split)) return [];
  return of(splitName(wanted.split)).catch((error: unknown) => {
    if (wanted.required || !(error instanceof MissingSplit)) throw error;
    return [];
  });
}

/** Stops where questions of one's own data are about subjects that were trained on, and warns of others'; images that are copies. */
export async function tellOverlap(
  { data: name, split, allowOverlap }: AskedQuestions,
  seen: readonly Example[],
  examples: readonly Example[],
  compared: readonly Example[] = [],
): Promise<Copies> {
  const allowed = { isAllowed: allowOverlap, allow: "--allow-overlap" };
  const { warning, copies } = await judgeOverlap(seen, { name, split, examples, compared, ...allowed });
  if (warning !== null) console.error(`warning: ${warning}`);
  return copies;
}

/** What a results file says of the questions. */
export function describeQuestions(
  { data: name, split, limit, seed, imageDisjoint }: AskedQuestions,
  questions: number,
) {
  return { name, split, questions, limit: limit ?? null, seed, image_disjoint: imageDisjoint };
}
