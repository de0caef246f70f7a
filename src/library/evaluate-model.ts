/** Evaluating a model from a program. */
import { type DataNotice, type DataSpec, loadDataset } from "../data/index.ts";
import { type Evaluation, evaluatePolicy, type ProtocolName } from "../evaluate/index.ts";
import { type OpenCheckpointOptions, openCheckpoint, trainedOn } from "../session/checkpoint.ts";
import { answerLength } from "../session/evaluation-sources.ts";
import { describeNotice } from "../session/preflight.ts";
import { judgeOverlap } from "../session/shared-subjects.ts";

export interface EvaluateOptions extends OpenCheckpointOptions {
  /** Default "viva". */
  readonly protocol?: ProtocolName;
  /** Maximum tokens of an answer; default the run's, else 64. */
  readonly maxCompletionLength?: number;
  /** Training data for the baselines; without it there are none. */
  readonly train?: DataSpec;
  /** Of your own data: lets the questions share subjects or images with the training data. */
  readonly allowOverlap?: boolean;
}

/**
 * Asks a model, a run or a checkpoint the questions of a data set, with greedy decoding, and scores its answers. Throws
 * UserError where questions of your own data share subjects or images with `train` or with the run's training data.
 */
export async function evaluate(model: string, data: DataSpec, o: EvaluateOptions = {}): Promise<Evaluation> {
  const { name, split = "test" } = data;
  const onNotice = (notice: DataNotice) => o.reporter?.warn(describeNotice(notice));
  const examples = await loadDataset({ onNotice, ...data, split });
  const train = o.train === undefined ? null : await loadDataset(o.train);
  const own = await trainedOn(model, o);
  const seen = [...(train ?? []), ...(own?.examples ?? [])];
  const allowed = { isAllowed: o.allowOverlap ?? false, allow: "allowOverlap: true" };
  const { warning, copies } = await judgeOverlap(seen, { name, split, examples, ...allowed });
  if (warning !== null) o.reporter?.warn(warning);
  const { engine, processor, prompt, folder, recipe } = await openCheckpoint(model, o);
  try {
    const maxCompletionLength = o.maxCompletionLength ?? answerLength(recipe);
    const { protocol, signal } = o;
    return await evaluatePolicy(engine.policy, examples, {
      ...{
        processor,
        prompt,
        maxCompletionLength,
        checkpoint: folder,
        train,
        seen,
        copies,
        unseen: own?.unknown ?? null,
      },
      ...(own === null ? {} : { tuningTrials: own.tuningTrials }),
      ...(protocol === undefined ? {} : { protocol }),
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await engine.close();
  }
}
