/**
 * Scores recorded answers again with today's reading of answers, and prints what changed. Options of choice questions come
 * from the data set, which the run's recipe names; without it they are left as they are.
 * usage: npx tsx scripts/rescore.ts RUN|EVALS.jsonl … [--data NAME --path FOLDER --split test]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { opensThought, type PromptStyle } from "../src/answers/prompts.ts";
import type { Example } from "../src/core/records.ts";
import { loadDataset } from "../src/data/index.ts";
import type { ProtocolName } from "../src/evaluate/names.ts";
import type { EvalItem } from "../src/evaluate/score.ts";
import { scoreItems } from "../src/evaluate/score.ts";
import { loadRecipe } from "../src/recipes/load.ts";
import { scanJsonl } from "../src/runs/jsonl.ts";
import { isRun, runPaths } from "../src/runs/run-folder.ts";
import { loadEvaluation } from "../src/session/examples.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: "string" }, path: { type: "string" }, split: { type: "string", default: "test" } },
});

type Line = EvalItem & {
  readonly kind: string;
  readonly step?: number;
  readonly conditions?: { readonly prompt: PromptStyle | null };
};

for (const source of positionals) {
  const known = new Map((await examplesOf(source)).map((example) => [example.id, example]));
  let items: Line[] = [];
  for (const line of scanJsonl<Line>(isRun(source) ? runPaths(source).evals : source)) {
    if (line.kind === "item") items.push(line);
    if (line.kind !== "summary") continue;
    report(source, line, items, known);
    items = [];
  }
}

async function examplesOf(source: string): Promise<readonly Example[]> {
  const { data: name, path, split } = values;
  if (name !== undefined) return loadDataset({ name, split, ...(path === undefined ? {} : { path }) });
  if (!isRun(source)) return [];
  return (await loadEvaluation(loadRecipe(join(source, "recipe.yaml")).recipe)).examples ?? [];
}

function report(source: string, summary: Line, items: readonly Line[], known: ReadonlyMap<string, Example>): void {
  const prompt = summary.conditions?.prompt ?? null;
  const o = {
    protocol: summary.protocol as ProtocolName,
    style: prompt?.style ?? "think_answer",
    thinkOpened: opensThought(prompt?.assistant_prefix ?? ""),
  } as const;
  const scored = items.flatMap((item) => {
    const example = known.get(item.example_id) ?? exampleOf(item);
    return example === null ? [] : [{ item, now: scoreItems([example], [item.prediction], o)[0]! }];
  });
  const share = (count: number) => `${((100 * count) / scored.length).toFixed(2)} %`;
  console.log(
    `${source}, ${summary.checkpoint} (${o.protocol}): ${scored.length} of ${items.length} answers scored again`,
  );
  for (const figure of ["strict", "lenient", "parse_failure", "format", "exact_match"] as const) {
    const changed = scored.filter(({ item, now }) => Number(item[figure]) !== Number(now[figure]));
    const before = scored.filter(({ item }) => Boolean(item[figure])).length;
    const after = scored.filter(({ now }) => Boolean(now[figure])).length;
    console.log(`  ${figure}: ${share(before)} -> ${share(after)}, ${changed.length} answers changed`);
    for (const { item, now } of changed.slice(0, 10)) {
      const answer = JSON.stringify(item.prediction.slice(-80));
      console.log(`    ${item.example_id}: ${answer} for "${item.answer}": ${item[figure]} -> ${now[figure]}`);
    }
  }
}

/** The example as far as the record has it; null where its options would be needed. */
function exampleOf({ example_id, subject_id, question, answer, answer_type, strata }: EvalItem): Example | null {
  if (answer_type === "choice") return null;
  const kept = { id: example_id, subjectId: subject_id, question, answer, answerType: answer_type, meta: strata };
  return { ...kept, images: [], choices: [] };
}
