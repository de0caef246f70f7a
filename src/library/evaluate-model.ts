/** Evaluating a model from a program. */
import { type DataSpec, loadDataset } from "../data/index.ts";
import { type Evaluation, evaluatePolicy, type ProtocolName } from "../evaluate/index.ts";
import { type OpenCheckpointOptions, openCheckpoint } from "../session/checkpoint.ts";
import { answerLength } from "../session/evaluation-sources.ts";

export interface EvaluateOptions extends OpenCheckpointOptions {
  /** Default "viva". */
  readonly protocol?: ProtocolName;
  /** Maximum tokens of an answer; default the run's, else 64. */
  readonly maxCompletionLength?: number;
  /** Training data for the baselines; without it there are none. */
  readonly train?: DataSpec;
}

/** Asks a model, a run or a checkpoint the questions of a data set, with greedy decoding, and scores its answers. */
export async function evaluate(model: string, data: DataSpec, o: EvaluateOptions = {}): Promise<Evaluation> {
  const examples = await loadDataset({ ...data, split: data.split ?? "test" });
  const train = o.train === undefined ? null : await loadDataset(o.train);
  const { engine, processor, prompt, folder, recipe } = await openCheckpoint(model, o);
  try {
    const maxCompletionLength = o.maxCompletionLength ?? answerLength(recipe);
    const { protocol, signal } = o;
    return await evaluatePolicy(engine.policy, examples, {
      ...{ processor, prompt, maxCompletionLength, checkpoint: folder, train },
      ...(protocol === undefined ? {} : { protocol }),
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await engine.close();
  }
}
