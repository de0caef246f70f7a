/** A processor that routes each prompt as it encodes it, and an engine whose prompts are answered by their experts. */
import type { Processor } from "../core/processor.ts";
import type { Message, MessageContent, Prompt, RolloutResult } from "../core/records.ts";
import type { Policy, TokenScores, TrainingEngine } from "../engine/engine.ts";
import type { CaseQuery, Route, SolvedCase } from "./case-index.ts";

export interface RoutedOptions {
  readonly route: (query: CaseQuery) => Route;
  /** Of the model that made the index's vectors. */
  readonly embed: Policy["embed"];
  /** Tokens that a prompt with its cases may have; one that would have more is asked without them. */
  readonly maxPromptTokens: number;
}

/** Prompts carry the expert that is to answer them, and begin with the cases most like them. */
export function routedProcessor(processor: Processor, { route, embed, maxPromptTokens }: RoutedOptions): Processor {
  return {
    ...processor,
    async encode(messages, options = {}) {
      const plain = await processor.encode(messages, options);
      const [image] = await embed([plain]);
      const { question, subjectId = null } = options.about ?? { question: lastText(messages) };
      const { expert, cases } = route({ question, image: image!, subject: subjectId });
      if (cases.length === 0) return { ...plain, expert };
      const shown = await processor.encode(withCases(messages, cases), options);
      return { ...(shown.tokenIds.length > maxPromptTokens ? plain : shown), expert };
    },
  };
}

/** The chat with solved cases before its last question's text, behind its images. */
export function withCases(messages: readonly Message[], cases: readonly SolvedCase[]): readonly Message[] {
  const lines = cases.map(({ question, answer }) => `Question: ${question}\nAnswer: ${answer}\n`);
  const text = `Similar cases of other patients:\n${lines.join("")}\n`;
  const last = messages.findLastIndex(({ role }) => role === "user");
  return messages.map((message, i) => {
    if (i !== last) return message;
    const at = message.content.findIndex(({ type }) => type === "text");
    const content: MessageContent[] = [...message.content];
    content.splice(at < 0 ? content.length : at, 0, { type: "text", text });
    return { ...message, content };
  });
}

function lastText(messages: readonly Message[]): string {
  const last = messages.findLast(({ role }) => role === "user");
  return (last?.content ?? []).flatMap((part) => (part.type === "text" ? [part.text] : [])).join(" ");
}

type ExpertEngine = Pick<TrainingEngine, "policy" | "decode" | "updates" | "contextLength">;

/** Answers each prompt by its expert's engine, else by `own`; prompts of different experts are batched apart. */
export function expertEngine(own: ExpertEngine, experts: ReadonlyMap<string, ExpertEngine>): ExpertEngine {
  const engineOf = ({ expert = null }: Prompt) => (expert === null ? own : experts.get(expert)!);
  const { decode } = own;
  return {
    contextLength: own.contextLength,
    updates: own.updates,
    ...(decode === undefined ? {} : { decode: (prompt, o) => engineOf(prompt).decode!(prompt, o) }),
    policy: {
      async *sample(prompts, o): AsyncIterable<RolloutResult> {
        for (const [engine, indices] of grouped(prompts, engineOf)) {
          const asked = indices.map((i) => prompts[i]!);
          for await (const result of engine.policy.sample(asked, o)) yield { ...result, index: indices[result.index]! };
        }
      },
      async logProbs(groups, o): Promise<TokenScores> {
        const counts = groups.map(({ completions, inPlace }) => completions.length + (inPlace === undefined ? 0 : 1));
        const scored = new Array<TokenScores>(groups.length);
        for (const [engine, indices] of grouped(groups, ({ prompt }) => engineOf(prompt))) {
          const { logProbs, entropies } = await engine.policy.logProbs(
            indices.map((i) => groups[i]!),
            o,
          );
          let next = 0;
          for (const i of indices) {
            const end = next + counts[i]!;
            scored[i] = { logProbs: logProbs.slice(next, end), entropies: entropies.slice(next, end) };
            next = end;
          }
        }
        return {
          logProbs: scored.flatMap(({ logProbs }) => logProbs),
          entropies: scored.flatMap(({ entropies }) => entropies),
        };
      },
      embed: (prompts) => own.policy.embed(prompts),
    },
  };
}

function grouped<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly number[]> {
  const groups = new Map<K, number[]>();
  for (const [i, item] of items.entries()) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  return groups;
}
