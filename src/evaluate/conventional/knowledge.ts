/** Which columns of a table tell most of an outcome, by a regression on the training tables (ours, after XAI4LLM). */
import { normalise } from "../../answers/normalise.ts";
import type { Example } from "../../core/records.ts";
import { denseFeatures } from "./features.ts";
import { fitLogistic } from "./logistic.ts";
import { zScores } from "./standardise.ts";
import { tableColumns } from "./table-block.ts";

/** Columns by the size of their weights, standardised, the largest first; none without yes and no among the answers. */
export function tellingColumns(train: readonly Example[]): readonly string[] {
  const asked = train.filter(
    ({ answerType, answer }) => answerType === "closed" && ["yes", "no"].includes(normalise(answer)),
  );
  const { names, block } = tableColumns(asked);
  const rows = asked.flatMap((example) => {
    const vector = block(example);
    return vector === null ? [] : [{ vector, target: normalise(example.answer) === "yes" ? 1 : 0 }];
  });
  if (new Set(rows.map(({ target }) => target)).size < 2) return [];
  const scale = zScores(rows.map(({ vector }) => vector));
  const features = denseFeatures(rows.map(({ vector }) => scale(vector)));
  const { weights } = fitLogistic(
    features,
    rows.map(({ target }) => target),
    1,
  );
  const sizes = new Map<string, number>();
  for (const [j, name] of names.entries()) sizes.set(name, (sizes.get(name) ?? 0) + Math.abs(weights[1 + j]!));
  return [...sizes].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([name]) => name);
}
