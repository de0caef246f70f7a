/** Whether a server's sampler is its trainer: the same log-probs, stop tokens kept, draws that follow the seed. */
import { largestDifference, misfit, probePrompt, scoreOf } from "./probe-tools.ts";
import type { RemoteModel, WireLoss, WireSampling } from "./remote-model.ts";

export interface SamplerFindings {
  /** Largest difference between log-probs of sampler and trainer. */
  readonly samplerDifference: number;
  /** Whether equal seeds give equal completions. */
  readonly repeatsSeeds: boolean;
}

/** Beyond rounding of any kind: another model, or another distribution (ours). */
const ANOTHER_MODEL = 0.2;
const chunks = [{ type: "tokens", tokens: probePrompt.tokenIds }] as const;
const options: WireSampling = {
  ...{ numSamples: 2, maxTokens: 8, temperature: 1, topP: 1, topK: 0 },
  ...{ seed: 41, stopTokenIds: [] },
};

/** Throws UserError where completions of this sampler cannot be learned from. */
export async function probeSampler(model: RemoteModel, loss: WireLoss): Promise<SamplerFindings> {
  const from = await model.saveForSampling();
  const draw = async (change: Partial<WireSampling>) => {
    const asked = { ...options, ...change };
    const { sequences } = await model.sample(from, chunks, asked);
    if (sequences.length !== asked.numSamples) {
      throw misfit(`it gave ${sequences.length} completions where ${asked.numSamples} were asked for`);
    }
    return sequences;
  };
  const drawn = await draw({});
  let samplerDifference = 0;
  for (const { tokens, logProbs } of drawn) {
    if (logProbs?.length !== tokens.length) throw misfit("its completions come without a log-prob for each token");
    const scored = await scoreOf(model, { prompt: probePrompt, tokenIds: tokens, loss });
    samplerDifference = Math.max(samplerDifference, largestDifference(scored, logProbs));
  }
  if (samplerDifference > ANOTHER_MODEL) {
    const off = samplerDifference.toPrecision(2);
    throw misfit(`log-probs of completions differ by ${off} between sampling and training`);
  }
  const again = await draw({});
  const repeatsSeeds = drawn.every(({ tokens }, i) => tokens.join() === again[i]!.tokens.join());

  const [greedy] = await draw({ numSamples: 1, temperature: 0 });
  const stop = greedy!.tokens[Math.min(3, greedy!.tokens.length - 1)]!;
  const first = greedy!.tokens.indexOf(stop);
  const [stopped] = await draw({ numSamples: 1, temperature: 0, stopTokenIds: [stop] });
  if (stopped!.stopReason !== "stop" || stopped!.tokens.length > first + 1)
    throw misfit("it does not stop at a stop token");
  if (stopped!.tokens.at(-1) !== stop)
    throw misfit("it leaves out the stop token, so that stopping would not be learned");
  return { samplerDifference, repeatsSeeds };
}
