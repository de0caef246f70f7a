/** A model of characters for tests: what it says is a function of the text so far. */

import type { StoppableModel } from "../../src/control/stop.ts";
import type { ThoughtProcessor } from "../../src/control/trial.ts";
import { randomKey, uniform } from "../../src/core/random.ts";
import type { Completion, Prompt } from "../../src/core/records.ts";
import type { LiveOptions, LiveToken, Policy, TrainingGroup } from "../../src/engine/engine.ts";

/** What it goes on with, and the log-prob of each of its characters. */
export type Script = (text: string) => { readonly text: string; readonly logProb: number };

const STOP = 0;

export const characters: ThoughtProcessor = {
  decode: (ids) => String.fromCharCode(...Array.from(ids).filter((id) => id !== STOP)),
  encodeCompletion: (text) => Int32Array.from([...codes(text), STOP]),
  stopTokenIds: [STOP],
};

export function promptOf(text: string, more: Partial<Prompt> = {}): Prompt {
  return { text, tokenIds: Int32Array.from(codes(text)), images: [], ...more };
}

/** `wait` is called before each token of a row, with the row's number. */
export function scriptedModel(script: Script, wait: (row: number) => Promise<void> = async () => {}) {
  const counts = { rows: 0, tokens: 0, cancelled: 0 };
  const said = (prompt: Prompt, most: number) => {
    const { text, logProb } = script(characters.decode(prompt.tokenIds));
    const all = [...codes(text), STOP];
    const tokens = all.slice(0, most).map((tokenId) => ({ tokenId, logProb }));
    return { tokens, finishReason: all.length <= most ? ("stop" as const) : ("length" as const) };
  };
  const decode: StoppableModel["decode"] = (prompt: Prompt, o: LiveOptions) => {
    const open = new Set(Array.from({ length: o.numGenerations }, (_, i) => i));
    const row = counts.rows++;
    async function* rows(): AsyncGenerator<LiveToken> {
      const { tokens, finishReason } = said(prompt, o.maxCompletionLength);
      for (const [i, token] of tokens.entries()) {
        await wait(row);
        for (const completion of [...open]) {
          counts.tokens++;
          yield { ...token, completion, finishReason: i + 1 === tokens.length ? finishReason : null };
        }
        if (open.size === 0) counts.cancelled++;
        if (open.size === 0) return;
      }
    }
    const giveUp = (completion?: number) => (completion === undefined ? open.clear() : void open.delete(completion));
    return { tokens: rows(), giveUp };
  };
  const policy: Pick<Policy, "sample" | "logProbs"> = {
    async *sample(prompts, o) {
      for (const [index, prompt] of prompts.entries()) {
        const { tokens, finishReason } = said(prompt, o.maxCompletionLength);
        const tokenIds = Int32Array.from(tokens, ({ tokenId }) => tokenId);
        const logProbs = Float32Array.from(tokens, ({ logProb }) => logProb);
        const completion: Completion = {
          ...{ tokenIds, logProbs, finishReason, policyVersion: 0, text: characters.decode(tokenIds) },
        };
        yield { index, completions: new Array<Completion>(o.numGenerations).fill(completion) };
      }
    },
    /** Likelier where it is what the script says. */
    logProbs: async (groups: readonly TrainingGroup[]) => ({
      logProbs: groups.flatMap(({ prompt, completions }) => {
        const { text, logProb } = script(characters.decode(prompt.tokenIds));
        return completions.map(({ tokenIds }) => {
          const isSaid = text.startsWith(characters.decode(tokenIds));
          return Float32Array.from(tokenIds, () => (isSaid ? logProb : -4));
        });
      }),
      entropies: [],
    }),
  };
  return { model: { decode, policy, processor: characters }, policy, counts };
}

/** Waits a random number of turns of the event loop. */
export function randomWaits(seed: number): (row: number) => Promise<void> {
  let calls = 0;
  return async (row) => {
    const turns = Math.floor(4 * uniform(randomKey(seed, "wait", row), calls++));
    for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
}

function codes(text: string): readonly number[] {
  return Array.from(text, (char) => char.charCodeAt(0));
}
