/**
 * The dataset audit (FACT-AUDIT, arXiv 2502.17924, fact-audit.py): in each category a generator writes ever new questions near
 * what failed, readers give the reference, a judge grades; then a taxonomist names further categories. For images: categories
 * begin as values of a stratum, seeds are the data's own questions, and new ones are about the data's images (ours).
 */
import { normalise } from "../../answers/normalise.ts";
import { fold, permutation, pick, type RandomKey, randomKey } from "../../core/random.ts";
import type { Example } from "../../core/records.ts";
import type { AnswerSource } from "../answer-source.ts";
import { collectAnswers } from "../collect.ts";
import { auditRates, FAILING } from "./grade.ts";
import {
  type Category,
  type CountedRoles,
  countedRoles,
  generateQuestion,
  inspect,
  type Judgement,
  judgeAnswer,
  proposeCategory,
  type RoleCounts,
  type Roles,
  referenceAnswer,
} from "./roles.ts";

export interface DatasetAuditOptions {
  readonly seed: number;
  /** Whose values the first categories are. */
  readonly stratum: string;
  /** The data's own cases that a category begins with, and cases when it is done. */
  readonly seeds: number;
  readonly cases: number;
  /** Categories at most, and tries to name a further one. */
  readonly categories: number;
  readonly tries: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** One case that was asked and graded. */
export interface AuditCase {
  readonly category: string;
  readonly origin: "data" | "generated";
  readonly example_id: string;
  readonly question: string;
  readonly reference: string;
  readonly answer: string;
  readonly right: boolean;
  readonly justified: boolean;
  /** 1 to 10; at most 3 where the verdict is wrong or the justification poor. */
  readonly grade: number;
}

export interface CategoryFinding {
  readonly category: string;
  readonly description: string;
  readonly proposed: boolean;
  readonly cases: number;
  /** Share of grades of at most 3 (IMR), and of those in spite of a right answer (JFR). */
  readonly failure_rate: number;
  readonly poor_reason_rate: number;
  readonly mean_grade: number;
}

export interface DatasetAudit {
  readonly categories: readonly CategoryFinding[];
  readonly cases: readonly AuditCase[];
  /** Drafts that an inspector found unfit, and drafts given up because a reply about them could not be read. */
  readonly refused: number;
  readonly lost: number;
  /** Categories without a judgement that could be read. */
  readonly unjudged: readonly string[];
  readonly replies: RoleCounts;
}

/** Drafts that the generator may write for one case. */
const DRAFTS = 3;
/** Cases shown to the generator: of failing ones two, else the lowest grades. */
const SHOWN = 5;
const SHOWN_FAILING = 2;

export async function auditDataset(
  source: AnswerSource,
  pool: readonly Example[],
  roles: Roles,
  o: DatasetAuditOptions,
): Promise<DatasetAudit> {
  const asked = countedRoles(roles);
  const done: { readonly category: Category; readonly proposed: boolean; readonly cases: readonly AuditCase[] }[] = [];
  const count = { refused: 0, lost: 0 };
  const values = [...new Set(pool.map(({ meta }) => meta[o.stratum] ?? "").filter((value) => value !== ""))].sort();
  const first = values.slice(0, o.categories).map((value): [Category, boolean, readonly Example[]] => {
    const own = pool.filter(({ meta }) => meta[o.stratum] === value);
    return [{ name: value, description: `Questions whose ${o.stratum} is ${value}.` }, false, own];
  });
  const total = () => Math.max(first.length, done.length) * o.cases;
  const run = async (category: Category, proposed: boolean, own: readonly Example[]) => {
    const key = randomKey(o.seed, "dataset audit", category.name);
    const onCase = (n: number) =>
      o.onProgress?.(done.length * o.cases + n, Math.max(total(), (done.length + 1) * o.cases));
    const cases = await auditCategory(source, category, own, asked, { ...o, key, count, onCase });
    done.push({ category, proposed, cases });
  };
  for (const [category, proposed, own] of first) await run(category, proposed, own);
  const judged = () => done.filter(({ cases }) => cases.length > 0);
  while (judged().length > 0 && done.length < o.categories) {
    const known = judged().map(({ category, cases }) => ({ category, failing: auditRates(cases).failure_rate }));
    let next: Category | null = null;
    for (let attempt = 0; next === null && attempt < o.tries; attempt++)
      next = await proposeCategory(asked, known, attempt);
    if (next === null) break;
    await run(next, true, pool);
  }
  const categories = judged().map(({ category: { name, description }, proposed, cases }): CategoryFinding => {
    return { category: name, description, proposed, cases: cases.length, ...auditRates(cases) };
  });
  const unjudged = done.filter(({ cases }) => cases.length === 0).map(({ category }) => category.name);
  return { categories, cases: done.flatMap(({ cases }) => cases), ...count, unjudged, replies: asked.counts };
}

interface CategoryOptions extends DatasetAuditOptions {
  readonly key: RandomKey;
  readonly count: { refused: number; lost: number };
  readonly onCase: (done: number) => void;
}

/** The data's own cases first, then, if one could be judged, new ones until there are enough or nothing more is found. */
async function auditCategory(
  source: AnswerSource,
  category: Category,
  own: readonly Example[],
  asked: CountedRoles,
  o: CategoryOptions,
): Promise<readonly AuditCase[]> {
  const memory: AuditCase[] = [];
  const order = permutation(fold(o.key, "seeds"), own.length);
  const seeds = Array.from(order.slice(0, Math.min(o.seeds, o.cases)), (i) => own[i]!);
  const add = async (examples: readonly Example[], origin: AuditCase["origin"]) => {
    o.signal?.throwIfAborted();
    const { predictions } = await collectAnswers(source, examples, o.signal === undefined ? {} : { signal: o.signal });
    for (const [i, example] of examples.entries()) {
      const tested = { question: example.question, reference: example.answer, answer: predictions[i]![0]!.text };
      const judgement = await judgeAnswer(asked, tested, example.images);
      if (judgement !== null)
        memory.push({ category: category.name, origin, example_id: example.id, ...tested, ...capped(judgement) });
      o.onCase(memory.length);
    }
  };
  await add(seeds, "data");
  for (let draft = 0; memory.length > 0 && memory.length < o.cases && draft < DRAFTS * o.cases; draft++) {
    o.signal?.throwIfAborted();
    const about = pick(fold(o.key, "images"), draft, own);
    const shown = shownCases(memory, fold(fold(o.key, "shown"), draft));
    const drafted = await draftCase(asked, category, shown, about, draft);
    if (drafted === "refused" || drafted === "lost") o.count[drafted]++;
    else await add([drafted], "generated");
  }
  return memory;
}

/** A new case about an example's image; or that an inspector found it unfit, or that a reply could not be read. */
async function draftCase(
  asked: CountedRoles,
  category: Category,
  shown: readonly AuditCase[],
  about: Example,
  draft: number,
): Promise<Example | "refused" | "lost"> {
  const { target: _, answerIndex: __, images, ...rest } = about;
  const question = await generateQuestion(asked, category, shown, images, draft);
  if (question === null) return "lost";
  const isFit = await inspect(asked, category, { question, reference: null }, images);
  if (isFit !== true) return isFit === null ? "lost" : "refused";
  const reference = await referenceAnswer(asked, question, images, (a, b) => normalise(a) === normalise(b));
  if (reference === null) return "lost";
  const isTrue = await inspect(asked, category, { question, reference }, images);
  if (isTrue !== true) return isTrue === null ? "lost" : "refused";
  const id = `${about.id}#${category.name}-${draft}`;
  return { ...rest, images, id, question, answer: reference, answerType: "open", choices: [] };
}

/** A grade of at most 3 where the verdict is wrong or the justification poor. */
export function capped({ right, justified, grade }: Judgement): Judgement {
  return { right, justified, grade: right && justified ? grade : Math.min(grade, FAILING) };
}

/**
 * Five cases for the generator, none of which begin with the same three words: two random failing ones and three others, or
 * the five with the lowest grades where that cannot be.
 */
export function shownCases(memory: readonly AuditCase[], key: RandomKey): readonly AuditCase[] {
  const sorted = [...memory].sort((a, b) => a.grade - b.grade);
  const begun = new Set<string>();
  const distinct = sorted.filter(({ question }) => {
    const start = question.toLowerCase().split(/\s+/).slice(0, 3).join(" ");
    if (begun.has(start)) return false;
    begun.add(start);
    return true;
  });
  const failing = distinct.filter(({ grade }) => grade <= FAILING);
  const others = distinct.filter(({ grade }) => grade > FAILING);
  if (failing.length < SHOWN_FAILING || others.length < SHOWN - SHOWN_FAILING) return distinct.slice(0, SHOWN);
  return [...some(failing, SHOWN_FAILING, fold(key, 0)), ...some(others, SHOWN - SHOWN_FAILING, fold(key, 1))];
}

function some<T>(items: readonly T[], count: number, key: RandomKey): readonly T[] {
  return Array.from(permutation(key, items.length).slice(0, count), (i) => items[i]!);
}
