/** Makes an index of solved cases from training questions and the experts that each belongs to. */
import { rightOption } from "../answers/choice.ts";
import { questionWithOptions } from "../answers/prompts.ts";
import { type CaseIndex, type SolvedCase, writeCaseIndex } from "../control/case-index.ts";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import type { OpenedCheckpoint } from "./checkpoint.ts";
import { hashModel } from "./content-hashes.ts";
import { expertFolder } from "./control.ts";
import type { SourceOptions } from "./sources.ts";

export interface CaseIndexOptions extends SourceOptions {
  /** The stratum of `meta` that names each case's expert; null: none, every case is the model's own. */
  readonly by: string | null;
  /** Adapters by expert; cases of values without one are the model's own. */
  readonly experts: Readonly<Record<string, string>>;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Image sets whose patches are in memory at a time. */
const CHUNK = 32;

/** Writes the index; returns how many cases each expert has, null's under "". Throws UserError for experts that do not fit. */
export async function buildCaseIndex(
  { engine, processor, base }: Pick<OpenedCheckpoint, "engine" | "processor" | "base">,
  examples: readonly Example[],
  path: string,
  o: CaseIndexOptions,
): Promise<Readonly<Record<string, number>>> {
  const model_sha256 = await hashModel(base);
  const experts: Record<string, string> = {};
  for (const [name, folder] of Object.entries(o.experts)) {
    experts[name] = await expertFolder(name, folder, model_sha256, o);
    if (examples.some(({ meta }) => o.by !== null && meta[o.by] === name)) continue;
    throw new UserError(`expert ${name}: no question has ${o.by ?? "a stratum"} "${name}"`);
  }
  const keyOf = ({ images }: Example) => JSON.stringify(images.map((image) => image.path));
  const rows = new Map<string, number>();
  for (const example of examples) if (!rows.has(keyOf(example))) rows.set(keyOf(example), rows.size);
  const firsts = [...rows.keys()].map((key) => examples.find((example) => keyOf(example) === key)!);
  const vectors: Float32Array[] = [];
  for (let start = 0; start < firsts.length; start += CHUNK) {
    const some = firsts.slice(start, start + CHUNK);
    const prompts = some.map(async ({ images }) => {
      const encoded = await Promise.all(images.map((image) => processor.encodeImage(image)));
      return { text: "", tokenIds: new Int32Array(0), images: encoded.map(({ image }) => image) };
    });
    vectors.push(...(await engine.policy.embed(await Promise.all(prompts))));
    o.onProgress?.(vectors.length, firsts.length);
  }
  const cases = examples.map((example): SolvedCase => {
    const value = o.by === null ? undefined : example.meta[o.by];
    return {
      ...{ id: example.id, subject: example.subjectId, question: questionWithOptions(example) },
      expert: value !== undefined && experts[value] !== undefined ? value : null,
      answer: example.answerType === "choice" ? example.choices[rightOption(example)]! : example.answer,
      image: rows.get(keyOf(example))!,
    };
  });
  writeCaseIndex(path, { model_sha256, experts, cases, vectors } satisfies CaseIndex);
  const counts: Record<string, number> = {};
  for (const { expert } of cases) counts[expert ?? ""] = (counts[expert ?? ""] ?? 0) + 1;
  return counts;
}
