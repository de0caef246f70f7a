/** OpenRLHF's remote reward model: {query, prompts, labels} to {rewards, scores, extra_logs}. A query is prompt and completion. */
import { badRequest } from "../api-error.ts";
import { knownComponents, listAt, numberOf, objectAt, type RewardDialect } from "./dialect.ts";

export const openrlhf: RewardDialect = {
  path: "/get_reward",
  read(body) {
    const { query, prompts, labels } = objectAt(body, "body");
    const queries = listAt(query, "query");
    const [starts, references] = [listAt(prompts, "prompts"), listAt(labels, "labels")];
    if (starts.length !== queries.length || references.length !== queries.length) {
      const lengths = [queries, starts, references].map(({ length }) => length).join(", ");
      throw badRequest("query", `query, prompts and labels must be as long as each other, got ${lengths}`);
    }
    const rows = queries.map((whole, i) => {
      const completion = rest(whole, starts[i], i);
      return { columns: { completion, reference: references[i] }, images: [] };
    });
    return { rows, step: null };
  },
  answer(_, { rows }) {
    const rewards = rows.map(numberOf);
    const known = rows.map(knownComponents);
    const names = Object.keys(known[0] ?? {}).filter((name) => known.every((components) => name in components));
    const logs = names.map((name) => [name, known.map((components) => components[name])]);
    return { rewards, scores: rewards, extra_logs: Object.fromEntries(logs) };
  },
};

/** What of the query follows the prompt. */
function rest(query: unknown, prompt: unknown, i: number): string {
  if (typeof query !== "string" || typeof prompt !== "string") {
    throw badRequest(`query[${i}]`, `query[${i}] and prompts[${i}] must be texts`);
  }
  if (query.startsWith(prompt)) return query.slice(prompt.length);
  throw badRequest(`query[${i}]`, `query[${i}] does not begin with prompts[${i}], so its completion cannot be told`);
}
