/** The mean of an image's features over its tokens, and its gradient's way back to them. */

/** [tokens x width] to [width]. */
export function meanFeatures(features: Float32Array, width: number): Float32Array {
  const tokens = features.length / width;
  const mean = new Float32Array(width);
  for (const [i, value] of features.entries()) mean[i % width]! += value / tokens;
  return mean;
}

/** The gradient of all tokens' features, [tokens x width], from that of their mean. */
export function meanGradient(gradient: Float32Array, tokens: number): Float32Array {
  const { length } = gradient;
  return Float32Array.from({ length: tokens * length }, (_, i) => gradient[i % length]! / tokens);
}
