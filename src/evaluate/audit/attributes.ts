/** What an audit tells questions apart by: the data's strata, the answer's type, and known facts of the image. */
import { readFacts } from "../../answers/claims/facts.ts";
import type { Example } from "../../core/records.ts";
import type { Attributes } from "./adaptive.ts";

/** A stratum with more values, such as a file name, says nothing of a kind of question. */
const MAX_VALUES = 24;
const HIDDEN = new Set(["split", "base_type"]);

/** The attributes of each example; those with one value or more than 24 are left out. */
export function attributesOf(examples: readonly Example[]): readonly Attributes[] {
  const all = examples.map(describe);
  const values = new Map<string, Set<string>>();
  for (const attributes of all) {
    for (const [name, value] of Object.entries(attributes))
      values.set(name, (values.get(name) ?? new Set()).add(value));
  }
  const telling = new Set([...values].flatMap(([name, { size }]) => (size > 1 && size <= MAX_VALUES ? [name] : [])));
  return all.map((attributes) => Object.fromEntries(Object.entries(attributes).filter(([name]) => telling.has(name))));
}

function describe({ meta, answerType, facts }: Example): Attributes {
  const strata = Object.entries(meta).filter(([name, value]) => value !== "" && !HIDDEN.has(name));
  const known = readFacts(facts);
  if (known === null) return { ...Object.fromEntries(strata), answer_type: answerType };
  const { findings } = known;
  const [largest] = [...findings].sort((a, b) => (b.radius ?? 0) - (a.radius ?? 0));
  return {
    ...Object.fromEntries(strata),
    answer_type: answerType,
    findings: findings.length > 2 ? "3 or more" : String(findings.length),
    finding: largest?.finding ?? "none",
    ...(largest?.side === undefined ? {} : { side: largest.side }),
  };
}
