/**
 * What a run's training data say of a question that a page asks: its own row, or the facts of its image. Nothing that the
 * recipe names is run or downloaded for it.
 */
import { UserError } from "../core/errors.ts";
import type { LiveQuestion } from "../core/live-answers.ts";
import type { Example, NumericTarget } from "../core/records.ts";
import type { Recipe } from "../recipes/schema.ts";
import { runsModule, trainingExamples } from "./examples.ts";
import { offline } from "./model-view.ts";

/** What a question and a reference answer do not say of an example, and its prompt or a reward may hold. */
export type KnownParts = Partial<Pick<Example, "facts" | "rationale" | "meta" | "target" | "before">>;

export interface Known {
  readonly parts: KnownParts;
  /** Why the facts of the image are not known; null where its row was found, whether it has facts or not. */
  readonly noFacts: string | null;
}

export interface KnownRows {
  /** Targets of all numeric questions; undefined where the data cannot be read. */
  readonly targets: readonly NumericTarget[] | undefined;
  of(asked: LiveQuestion): Known;
}

/**
 * A question with its row's id, answer and images is that row. With other images it keeps what its row tells before it; any
 * question has the facts of its images, where their rows agree.
 */
export async function knownRows(recipe: Recipe): Promise<KnownRows> {
  const rows = await rowsOf(recipe);
  if (typeof rows === "string") return { targets: undefined, of: () => ({ parts: {}, noFacts: rows }) };
  return {
    targets: rows.flatMap(({ target }) => target ?? []),
    of(asked) {
      const pictured = rows.filter(({ images }) => pathsOf(images) === pathsOf(asked.images));
      const row = rows.find((one) => isRow(one, asked));
      if (row !== undefined && pictured.includes(row)) return { parts: partsOf(row), noFacts: null };
      const told = row?.before === undefined ? {} : { before: row.before };
      const facts = asked.images.length === 0 ? "there is no image" : factsIn(pictured);
      if (typeof facts === "string") return { parts: told, noFacts: facts };
      return { parts: { ...told, ...facts }, noFacts: null };
    },
  };
}

/** The facts that rows with the same images agree on, none where none has any; or why they are not known. */
function factsIn(rows: readonly Example[]): Pick<Example, "facts"> | string {
  if (rows.length === 0) return "no row of the run's training data has this image, as it is";
  const [facts, ...others] = rows.map((row) => row.facts).filter((one) => one !== undefined);
  if (facts === undefined) return {};
  const same = JSON.stringify(facts);
  return others.every((one) => JSON.stringify(one) === same)
    ? { facts }
    : "the rows of this image do not say the same of it";
}

/** The examples, or why there are none. */
async function rowsOf(recipe: Recipe): Promise<readonly Example[] | string> {
  if (runsModule(recipe.data.train))
    return "the run's data come from a module of one's own, which is not run from a page";
  try {
    return await trainingExamples(recipe, { env: offline() });
  } catch (error) {
    if (error instanceof UserError) return `the run's training data cannot be read: ${error.message}`;
    throw error;
  }
}

function isRow({ id, question, answer }: Example, asked: LiveQuestion): boolean {
  return id === asked.example && question === asked.question && answer === asked.reference?.answer;
}

function partsOf({ facts, rationale, meta, target, before }: Example): KnownParts {
  return {
    meta,
    ...(before === undefined ? {} : { before }),
    ...(facts === undefined ? {} : { facts }),
    ...(rationale === undefined ? {} : { rationale }),
    ...(target === undefined ? {} : { target }),
  };
}

function pathsOf(images: Example["images"]): string {
  return JSON.stringify(images.map(({ path }) => path));
}
