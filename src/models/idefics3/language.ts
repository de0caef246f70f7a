/** The language model of Idefics3 and SmolVLM: Llama (arXiv 2407.21783), whose tokens have one position each. */
import type { LanguageStack, RotaryTable, WeightSpec } from "../model.ts";
import { languageStack as decoder, languageWeights as decoderWeights } from "../qwen_vl/language.ts";
import type { Idefics3Config, Rope } from "./config.ts";

const PREFIX = "model.text_model.";

export function languageStack({ text, rope, vision }: Idefics3Config): LanguageStack {
  const frequencies = rotaryFrequencies(rope, text.headDim);
  return {
    ...decoder(text, { prefix: PREFIX, merge: vision.merge, featureLevels: 1 }),
    positionAxes: 1,
    positions: (tokenIds) => ({ positions: tokenIds.map((_, i) => i), next: tokenIds.length }),
    rotary: (positions) => rotaryTable(positions, frequencies),
  };
}

/** All weights of the language model by their Hugging Face names. */
export function languageWeights({ text }: Idefics3Config): Record<string, WeightSpec> {
  return decoderWeights(text, PREFIX);
}

/** Half a head's frequencies. Stretched: slow waves `factor` times slower, fast ones as they are, a blend in between. */
function rotaryFrequencies({ theta, stretch }: Rope, headDim: number): readonly number[] {
  const plain = Array.from({ length: headDim / 2 }, (_, d) => 1 / theta ** ((2 * d) / headDim));
  if (stretch === null) return plain;
  const { factor, lowFactor, highFactor, originalPositions } = stretch;
  return plain.map((frequency) => {
    const turns = (originalPositions * frequency) / (2 * Math.PI);
    const keep = Math.min(1, Math.max(0, (turns - lowFactor) / (highFactor - lowFactor)));
    return (1 - keep) * (frequency / factor) + keep * frequency;
  });
}

function rotaryTable(positions: Int32Array, frequencies: readonly number[]): RotaryTable {
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(cos.length);
  for (const [t, position] of positions.entries()) {
    for (const [d, frequency] of frequencies.entries()) {
      cos[t * half + d] = Math.cos(position * frequency);
      sin[t * half + d] = Math.sin(position * frequency);
    }
  }
  return { cos, sin };
}
