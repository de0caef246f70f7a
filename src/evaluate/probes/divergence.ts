/** How far a changed model's token probabilities lie from the model's own, on tokens that the model itself drew. */
import { encodeQuestion } from "../../answers/prompts.ts";
import type { Example } from "../../core/records.ts";
import type { LogProbOptions, Policy, TrainingGroup } from "../../engine/engine.ts";
import { type Divergence, type DivergenceRow, divergenceSums } from "../metrics/flips.ts";
import type { AskOptions } from "./ask.ts";

/** Questions that are drawn for, and of them those that a temperature is chosen on where there are no training questions. */
const DRAWN = 128;
const CALIBRATION = 64;
/** Prompts in memory at the same time. */
const CHUNK = 64;
/** Temperatures that a changed model is tried at. */
const TEMPERATURES = [0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.35, 1.5];

export interface DivergenceMeter {
  /** Of a changed model; with `seeksTemperature`, at the temperature nearest to the model's own too. */
  of(policy: Pick<Policy, "logProbs">, seeksTemperature: boolean): Promise<Divergence>;
}

interface Drawn {
  readonly example: Example;
  readonly tokenIds: Int32Array;
  readonly logProbs: Float32Array;
}

/** Draws a completion to each question from the model, at temperature 1, and scores it. */
export async function divergenceMeter(
  policy: Pick<Policy, "sample" | "logProbs">,
  examples: readonly Example[],
  train: readonly Example[] | null,
  o: AskOptions,
): Promise<DivergenceMeter> {
  const drawn = await draw(policy, examples.slice(0, DRAWN), 0, o);
  const others = train === null || train.length === 0 ? null : await draw(policy, train.slice(0, CALIBRATION), 1, o);
  const calibration = others ?? drawn.slice(0, CALIBRATION);
  const rowsAt = async (changed: Pick<Policy, "logProbs">, of: readonly Drawn[], temperature: number) => {
    const scored = await score(changed, of, temperature, o);
    return of.map(({ example, logProbs }, i): DivergenceRow => {
      return { subject: example.subjectId, ...divergenceSums(logProbs, scored[i]!) };
    });
  };
  return {
    async of(changed, seeksTemperature) {
      const rows = await rowsAt(changed, drawn, 1);
      if (!seeksTemperature) return { rows, cooled: null };
      let [best, least] = [1, Number.POSITIVE_INFINITY];
      for (const temperature of TEMPERATURES) {
        const found = await rowsAt(changed, calibration, temperature);
        const k3 = found.reduce((sum, row) => sum + row.k3, 0);
        if (k3 < least) [best, least] = [temperature, k3];
      }
      return { rows, cooled: { temperature: best, rows: best === 1 ? rows : await rowsAt(changed, drawn, best) } };
    },
  };
}

async function draw(
  policy: Pick<Policy, "sample" | "logProbs">,
  examples: readonly Example[],
  set: number,
  o: AskOptions,
): Promise<readonly Drawn[]> {
  const drawn: Drawn[] = [];
  for (let start = 0; start < examples.length; start += CHUNK) {
    o.signal?.throwIfAborted();
    const chunk = examples.slice(start, start + CHUNK);
    const prompts = await Promise.all(chunk.map((example) => encodeQuestion(o.processor, example, o.prompt)));
    const { maxCompletionLength, seed } = o;
    const step = 9e6 + 1e5 * set + start;
    const sampling = { numGenerations: 1, temperature: 1, topP: 1, topK: 0, seed, step, maxCompletionLength };
    for await (const { index, completions } of policy.sample(prompts, sampling)) {
      const { tokenIds } = completions[0]!;
      drawn[start + index] = { example: chunk[index]!, tokenIds, logProbs: new Float32Array(0) };
    }
  }
  const own = await score(policy, drawn, 1, o); // by the same programs as the changed model's
  return drawn.map((one, i) => ({ ...one, logProbs: own[i]! }));
}

async function score(
  policy: Pick<Policy, "logProbs">,
  drawn: readonly Drawn[],
  temperature: number,
  { processor, prompt, signal }: AskOptions,
): Promise<readonly Float32Array[]> {
  const scoring: LogProbOptions = { temperature, topP: 1, topK: 0 };
  const scored: Float32Array[] = [];
  for (let start = 0; start < drawn.length; start += CHUNK) {
    signal?.throwIfAborted();
    const groups = await Promise.all(
      drawn.slice(start, start + CHUNK).map(async ({ example, tokenIds }): Promise<TrainingGroup> => {
        const encoded = await encodeQuestion(processor, example, prompt);
        return { prompt: encoded, completions: [{ tokenIds, weight: 0, advantage: 0 }] };
      }),
    );
    scored.push(...(await policy.logProbs(groups, scoring)).logProbs);
  }
  return scored;
}
