/**
 * What `viva reprogram` writes, and the model it makes: a frozen checkpoint, a change of pixels and a mapping of answers to
 * classes in one safetensors file. It answers every question with the class that scores best.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { opensThought, type PromptStyle, targetText } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { float32 } from "../core/tensor-data.ts";
import { type Attached, attach, loadAttached, saveAttached } from "../engine/attached.ts";
import type { AnswerSource, Decoding } from "../evaluate/index.ts";
import { openSafetensors } from "../io/safetensors.ts";
import { likeliest } from "../train/output-mapping.ts";
import {
  answerTokens,
  type ClassMapping,
  classScores,
  encodeSquare,
  type FrozenModel,
  type PixelChange,
  type Reprogrammed,
  scoreAnswers,
} from "../train/reprogram.ts";
import { type OpenCheckpointOptions, type OpenedCheckpoint, openCheckpoint } from "./checkpoint.ts";
import { hashCheckpoint } from "./content-hashes.ts";

const settingsSchema = z.strictObject({
  form: z.enum(["full", "frame", "padded"]),
  mapping: z.enum(["frequency", "iterative", "learned"]),
  /** Pixels of a side, and of the frame. */
  size: z.number(),
  width: z.number(),
  /** The model's own answers; null: yes, no and letters. */
  answers: z.array(z.string()).readonly().nullable(),
  epochs: z.number(),
  batchSize: z.number(),
  learningRate: z.number(),
  seed: z.number(),
});

const recordSchema = z.strictObject({
  /** The frozen model, and its content: the change of pixels is worth nothing on another. */
  checkpoint: z.string(),
  sha256: z.string(),
  settings: settingsSchema,
  prompt: z.custom<PromptStyle>((value) => typeof value === "object" && value !== null),
  classes: z.array(z.string()).readonly(),
  answers: z.array(z.string()).readonly(),
});

const stateSchema = z.strictObject({
  /** Whole epochs. */
  epoch: z.number(),
  /** The answer of each class, by its place; with a learned mapping the one that it began as. */
  answerOf: z.array(z.number()).readonly(),
  typical: z.array(z.number()).readonly(),
});

export type ReprogramSettings = z.infer<typeof settingsSchema>;
/** What a reprogramming is of. */
export type ReprogramRecord = z.infer<typeof recordSchema>;
/** How far it is; pixels and a learned mapping are the file's tensors. */
export type ReprogramState = z.infer<typeof stateSchema>;

const fileIn = (folder: string) => join(folder, "visual_prompt.safetensors");
/** Images scored in one call. */
const CHUNK = 32;

export function isReprogrammed(folder: string): boolean {
  return existsSync(fileIn(folder));
}

export type Parts = Readonly<Record<"visual_prompt", Attached> & Partial<Record<"output_mapping", Attached>>>;

/** Pixels that change nothing yet, and a learned mapping where one is asked for. */
export async function attachParts({ settings, answers, classes }: ReprogramRecord): Promise<Parts> {
  const { size, form, width, seed } = settings;
  const visual = await attach("visual_prompt", { size, form, width }, { seed });
  if (settings.mapping !== "learned") return { visual_prompt: visual };
  const shape = { answers: answers.length, classes: classes.length };
  return { visual_prompt: visual, output_mapping: await attach("output_mapping", shape, { seed }) };
}

export async function closeParts(parts: Parts): Promise<void> {
  for (const part of Object.values(parts)) await part.close();
}

/** Writes all of it, whole. */
export function saveReprogrammed(folder: string, parts: Parts, record: ReprogramRecord, state: ReprogramState): void {
  const metadata = { reprogramming: JSON.stringify(record), state: JSON.stringify(state) };
  saveAttached(fileIn(folder), parts, { training: true, metadata });
}

/** What is in the folder. */
export function readReprogrammed(folder: string) {
  const path = fileIn(folder);
  const file = openSafetensors(path);
  try {
    const { reprogramming = "null", state = "null" } = file.metadata;
    const record = recordSchema.safeParse(JSON.parse(reprogramming));
    const reached = stateSchema.safeParse(JSON.parse(state));
    if (record.success && reached.success) return { record: record.data, state: reached.data };
    throw new UserError(`${path} is not what viva reprogram writes`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`${path} is not what viva reprogram writes`, { cause: error });
  } finally {
    file.close();
  }
}

/** Fills parts with the folder's. */
export function restoreParts(folder: string, parts: Parts): void {
  loadAttached(fileIn(folder), parts);
}

/** Examples as the reprogrammed model is shown them; without `border` as the frozen one is. */
export function encoder({ processor }: OpenedCheckpoint, { settings, prompt, classes }: ReprogramRecord) {
  const own = settings.form === "padded" ? settings.width : 0;
  return (examples: readonly Example[], { border = true } = {}) =>
    encodeSquare(processor, examples, { prompt, size: settings.size, border: border ? own : 0, classes });
}

/** The frozen model beside one encoded example; its scores are log-probs as they are. */
export function frozenModel(
  { engine, processor }: OpenedCheckpoint,
  { answers, prompt: { style } }: ReprogramRecord,
  { prompt }: Reprogrammed,
): FrozenModel {
  const layout = processor.pixelLayout!(prompt.images[0]!.grid);
  const tokens = answerTokens(processor, answers, { style, prompt });
  return { engine, processor, answers: tokens, typical: answers.map(() => 0), layout, chunk: CHUNK };
}

/** What the visual prompt adds to every image by now. */
export async function changeOf({ visual_prompt: visual }: Parts): Promise<PixelChange> {
  const size = visual.values["prompt"]!.data.length;
  const { data } = await visual.forward(float32([1, size], new Float32Array(size)));
  return { change: data as Float32Array, version: visual.steps };
}

export function mappingBy({ output_mapping: matrix }: Parts, { answerOf }: Pick<ReprogramState, "answerOf">) {
  return (matrix === undefined ? { answerOf } : { matrix }) satisfies ClassMapping;
}

/** What may not be asked of a reprogrammed model, whose answers are classes. */
export interface AskedOfClasses extends Omit<OpenCheckpointOptions, "step"> {
  readonly decoding: (ownLength: number) => Decoding;
  /** By the name of its option: what was asked for that needs an answer in words. */
  readonly refused: Readonly<Record<string, unknown>>;
}

/** Opens the folder as something that answers; throws UserError where the frozen model is not what it was. */
export async function openReprogrammed(folder: string, { refused, decoding: decodingFor, ...o }: AskedOfClasses) {
  const unfit = Object.keys(refused).find((name) => refused[name] !== undefined);
  if (unfit !== undefined) {
    throw new UserError(`${unfit}: ${folder} is reprogrammed, and its answers are classes, asked as it was trained`);
  }
  const { record, state } = readReprogrammed(folder);
  const decoding = decodingFor(1);
  if (decoding.num_generations !== 1 || decoding.temperature !== 0) {
    throw new UserError(`${folder} is reprogrammed: it has one answer to a question, at temperature 0`);
  }
  const opened = await openCheckpoint(record.checkpoint, { ...o, prompt: record.prompt });
  const sha256 = await hashCheckpoint(opened.folder);
  if (sha256 !== record.sha256) {
    await opened.engine.close();
    throw new UserError(
      `${folder} is of other weights than those in ${record.checkpoint} now: bring back what was there`,
    );
  }
  const parts = await attachParts(record);
  restoreParts(folder, parts);
  const close = async () => {
    await closeParts(parts);
    await opened.engine.close();
  };
  return { source: classSource(opened, parts, record, state, decoding), opened, record, sha256, close };
}

/** Answers with the class that scores best, written as the prompt asks. */
function classSource(
  opened: OpenedCheckpoint,
  parts: Parts,
  record: ReprogramRecord,
  state: ReprogramState,
  decoding: Decoding,
): AnswerSource {
  const { processor } = opened;
  const { style } = record.prompt;
  const encode = encoder(opened, record);
  return {
    style,
    decoding,
    opensThought: async (example) => opensThought((await encode([example]))[0]!.prompt.text),
    async answer(examples, wanted, { onAnswer, signal }) {
      const change = await changeOf(parts);
      for (let start = 0; start < wanted.length; start += CHUNK) {
        signal?.throwIfAborted();
        const some = wanted.slice(start, start + CHUNK).map(({ index }) => index);
        const items = await encode(some.map((index) => examples[index]!));
        const model = { ...frozenModel(opened, record, items[0]!), typical: state.typical };
        const rows = await classScores(await scoreAnswers(model, items, change), mappingBy(parts, state));
        for (const [i, row] of rows.entries()) {
          const { example, prompt } = items[i]!;
          const told = {
            ...example,
            answer: record.classes[likeliest(row)]!,
            answerType: "open",
            choices: [],
          } as const;
          const text = targetText(told, style, "answer", opensThought(prompt.text));
          const imageTokens = prompt.tokenIds.filter((id) => id === processor.imageTokenId).length;
          onAnswer(some[i]!, 0, {
            ...{ text, tokens: processor.encodeCompletion(text).length, finishReason: "stop", imageTokens },
          });
        }
      }
    },
  };
}
