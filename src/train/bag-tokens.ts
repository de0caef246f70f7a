/**
 * A bag that a frozen language model reads as tokens and answers with a number in words (after HRD, arXiv 2602.00151; that the
 * model stays as it is is ours). What is trained is how the bag becomes tokens: on the number's text, and then by the reward
 * of numbers that the model sampled.
 */
import { numberOf } from "../answers/number.ts";
import { parseAnswer } from "../answers/parse.ts";
import { encodeQuestion, type PromptStyle, promptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import type { Processor } from "../core/processor.ts";
import type { Completion, Example, Prompt } from "../core/records.ts";
import { float32 } from "../core/tensor-data.ts";
import type { Bag } from "../data/bags.ts";
import type { Attached } from "../engine/attached.ts";
import type { TrainingCompletion, TrainingEngine } from "../engine/engine.ts";
import { numeric } from "../rewards/numeric.ts";
import { type BagEpoch, drawnBatches, vectorsOf } from "./bags.ts";
import { likelihoodBatch } from "./likelihood-batch.ts";

/** The frozen model, how it is asked, and what is trained before it. */
export interface BagReader {
  readonly engine: TrainingEngine;
  readonly processor: Processor;
  readonly head: Attached;
  readonly tokens: number;
  /** Prompts by question, without a bag's tokens. */
  readonly prompts: Map<string, Prompt>;
}

/** The prompt ends in an opened answer: what a frozen model likes to say before it is nothing that tokens must talk it out of. */
const OPEN = "<answer>";
const PROMPT: PromptStyle = { ...promptStyle("answer_only"), assistant_prefix: OPEN };

/** Completions of a bag in the reward's epochs. */
const GENERATIONS = 8;
/** Tokens of an answer. */
const ANSWER_LENGTH = 16;

/** An epoch on the text of the numbers; returns the mean negative log-likelihood of a bag's tokens. */
export async function likelihoodEpoch(reader: BagReader, o: BagEpoch): Promise<number> {
  let total = 0;
  const batches = drawnBatches(o);
  for (const batch of batches) {
    const rows = await read(reader, batch, o);
    const wanted = rows.map(({ bag }): readonly TrainingCompletion[] => {
      const tokenIds = reader.processor.encodeCompletion(`${asked(bag).answer}</answer>`);
      return [{ tokenIds, weight: 1 / (tokenIds.length * rows.length), advantage: 0 }];
    });
    total += (await backward(reader, rows, wanted)) / batches.length;
    reader.head.step(o.optimiser);
  }
  return total;
}

/** An epoch on the reward of sampled numbers; returns the mean reward. The baseline is a bag's own mean (as in Dr. GRPO). */
export async function rewardEpoch(reader: BagReader, o: BagEpoch): Promise<number> {
  let total = 0;
  const batches = drawnBatches(o);
  const reward = numeric({ scale: o.scale.std }, { style: PROMPT.style });
  for (const [at, batch] of batches.entries()) {
    const rows = await read(reader, batch, o);
    const sampling = { numGenerations: GENERATIONS, temperature: 1, step: o.epoch * batches.length + at, seed: o.seed };
    const found = await sampled(reader, rows, sampling);
    const weighed = await Promise.all(
      rows.map(async ({ bag }, i) => {
        const rewards = (await reward.score(asked(bag), found[i]!)).map((value) => value ?? 0);
        total += meanOf(rewards) / (batches.length * rows.length);
        return found[i]!.map(({ tokenIds }, g) => {
          const advantage = rewards[g]! - meanOf(rewards);
          return { tokenIds, weight: advantage / (GENERATIONS * rows.length), advantage };
        });
      }),
    );
    await backward(reader, rows, weighed, { allowVisionTokens: false });
    reader.head.step(o.optimiser);
  }
  return total;
}

/** The number that the model's likeliest answer gives for every bag, of all its vectors; null where there is none to read. */
export async function readBagNumbers(reader: BagReader, bags: readonly Bag[]): Promise<(number | null)[]> {
  const numbers: (number | null)[] = [];
  for (let start = 0; start < bags.length; start += 16) {
    const rows = await read(
      reader,
      bags.slice(start, start + 16).map((bag) => ({ bag, x: vectorsOf(bag) })),
      { seed: 0, epoch: -1 },
    );
    const found = await sampled(reader, rows, { numGenerations: 1, temperature: 0, step: 0, seed: 0 });
    for (const [one] of found) {
      const answer = parseAnswer(one!.text, { style: PROMPT.style })?.text ?? null;
      numbers.push(answer === null ? null : numberOf(answer));
    }
  }
  return numbers;
}

/** A bag's vectors, and the prompt that holds them as tokens. */
interface Row {
  readonly bag: Bag;
  readonly x: ReturnType<typeof vectorsOf>;
  readonly prompt: Prompt;
}

async function read(
  reader: BagReader,
  batch: readonly Omit<Row, "prompt">[],
  { seed, epoch }: Pick<BagEpoch, "seed" | "epoch">,
): Promise<readonly Row[]> {
  const { head, tokens, processor } = reader;
  const rows: Row[] = [];
  for (const [i, { bag, x }] of batch.entries()) {
    const empty = await emptyPrompt(reader, bag);
    const features = (await head.forward(x)).data as Float32Array;
    // A name of its own whenever its numbers may be others: nothing that is kept by it is used again.
    const sha256 = `bag:${bag.id}:${seed}:${epoch}:${head.steps}:${i}`;
    const grid = [1, processor.mergeSize, tokens * processor.mergeSize] as const;
    const image = { patches: new Float32Array(0), grid, sha256, width: tokens, height: 1, features };
    rows.push({ bag, x, prompt: { ...empty, images: [image] } });
  }
  return rows;
}

/** The question with as many image tokens as a bag has; UserError for a model that writes more than them for an image. */
async function emptyPrompt({ processor, tokens, prompts }: BagReader, bag: Bag): Promise<Prompt> {
  const known = prompts.get(bag.question);
  if (known !== undefined) return known;
  if (processor.pixelLayout === undefined)
    throw new UserError("bags as tokens: a model of this family cuts an image into frames");
  const pixels = { width: 56, height: 56, channels: 3, data: new Uint8Array(3 * 56 * 56) } as const;
  const example = { ...asked(bag), images: [{ path: "bag", pixels }] };
  const encoded = await encodeQuestion(processor, example, PROMPT);
  const ids = Array.from(encoded.tokenIds);
  const first = ids.indexOf(processor.imageTokenId);
  const rest = ids.filter((id) => id !== processor.imageTokenId);
  const image = new Array<number>(tokens).fill(processor.imageTokenId);
  const tokenIds = Int32Array.from([...rest.slice(0, first), ...image, ...rest.slice(first)]);
  const made = { ...encoded, tokenIds, images: [] };
  prompts.set(bag.question, made);
  return made;
}

function asked({ id, subjectId, question, target }: Bag): Example {
  const answer = String(Number(target.toPrecision(4)));
  return {
    ...{
      id,
      subjectId,
      question,
      images: [],
      answer,
      answerType: "numeric",
      choices: [],
      target: { value: target },
      meta: {},
    },
  };
}

/** Completions of each row, their texts with the answer's opening. */
async function sampled(
  { engine }: BagReader,
  rows: readonly Row[],
  o: Readonly<Record<"numGenerations" | "temperature" | "step" | "seed", number>>,
) {
  const prompts = rows.map(({ prompt }) => prompt);
  const found = rows.map((): readonly Completion[] => []);
  for await (const { index, completions } of engine.policy.sample(prompts, {
    ...{ topP: 1, topK: 0, maxCompletionLength: ANSWER_LENGTH },
    ...o,
  })) {
    found[index] = completions.map((one) => ({ ...one, text: OPEN + one.text }));
  }
  return found;
}

/** Accumulates the gradient of Σ weight · −log p of the completions; returns that sum. */
async function backward(
  { engine, head }: BagReader,
  rows: readonly Row[],
  completions: readonly (readonly TrainingCompletion[])[],
  scoring: { readonly allowVisionTokens?: boolean } = {},
): Promise<number> {
  const batch = likelihoodBatch(rows.map(({ prompt }, i) => ({ prompt, completions: completions[i]! })));
  const { loss, gradients } = await engine.gradients!(
    { ...batch, scoring: { ...batch.scoring, ...scoring } },
    "image_tokens",
  );
  for (const { x, prompt } of rows) {
    const [image] = prompt.images;
    const own = gradients.get(image!.sha256); // none where all completions earned the same
    if (own !== undefined) await head.backward(x, float32([image!.width, own.length / image!.width], own));
  }
  return loss;
}
