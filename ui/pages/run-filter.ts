/** The filter of the list of runs: words, `key:text` and comparisons such as `learning_rate<1e-5`; all must hold. */
import type { RunRow } from "../../src/ui/run-row.ts";

/** Recipes as values by dotted key, by run. */
export type Recipes = Readonly<Record<string, Readonly<Record<string, string | number>>>>;

/** `studies` has the path of a study by its id. */
export function matching(
  runs: readonly RunRow[],
  filter: string,
  recipes: Recipes,
  studies: ReadonlyMap<string, string> = new Map(),
): readonly RunRow[] {
  const tests = filter
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "")
    .map(testOf);
  return runs.filter((run) => {
    const named = run.study === null ? run : { ...run, study: studies.get(run.study) ?? run.study };
    return tests.every((holds) => holds(named, recipes[run.id] ?? {}));
  });
}

type Test = (run: RunRow, recipe: Recipes[string]) => boolean;

/** Short names of recipe keys. */
const aliases: Readonly<Record<string, string>> = { lr: "learning_rate", g: "num_generations", kl: "beta" };

function testOf(word: string): Test {
  const [, key, sign, wanted] = /^([\w.]+)(:|<=|>=|<|>|=)(.+)$/.exec(word) ?? [];
  if (key === undefined) {
    const text = word.toLowerCase();
    return (run) =>
      `${run.path} ${run.name} ${run.data} ${run.model} ${run.stages.join(" ")} ${run.tags.join(" ")}`.toLowerCase().includes(text);
  }
  return (run, recipe) => valuesOf(run, recipe, aliases[key] ?? key).some((value) => holds(value, sign!, wanted!));
}

/** What a key names: a column of the list, or recipe keys that end with it. */
function valuesOf(run: RunRow, recipe: Recipes[string], key: string): readonly (string | number)[] {
  const columns: Readonly<Record<string, readonly (string | number)[]>> = {
    status: [run.status],
    data: [run.data],
    model: [run.model],
    study: [run.study ?? ""],
    stage: run.stages,
    tag: run.tags,
    step: [run.step],
    accuracy: run.last === null ? [] : [run.last.estimate],
    alarm: [run.alarms > 0 ? `any ${run.alarms}` : "none"],
  };
  if (columns[key] !== undefined) return columns[key];
  return Object.entries(recipe).flatMap(([name, value]) => (name === key || name.endsWith(`.${key}`) ? [value] : []));
}

function holds(value: string | number, sign: string, wanted: string): boolean {
  if (sign === ":") return String(value).toLowerCase().includes(wanted.toLowerCase());
  const [own, bound] = [Number(value), Number(wanted)];
  if (Number.isNaN(own) || Number.isNaN(bound)) return sign === "=" && String(value) === wanted;
  if (sign === "<") return own < bound;
  if (sign === ">") return own > bound;
  if (sign === "<=") return own <= bound;
  return sign === ">=" ? own >= bound : own === bound;
}
