/** A model of next tokens by the token before and by how bright the images are; what is learned is added to a fixed table. */

/** How a loss's gradient is added up. */
export interface Losses {
  /** By the sum of a datum's weights. */
  readonly dividesByTokens?: boolean;
  /** By the data since the last update. */
  readonly dividesByData?: boolean;
  /** Clips the ratio of cispo to [1 − threshold, 1 + threshold] in place of the thresholds. */
  readonly clipsAround?: boolean;
  readonly losses?: readonly string[];
}

export interface Adam {
  readonly learning_rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weight_decay: number;
  readonly grad_clip_norm: number;
}

const usual = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0, grad_clip_norm: 0 };

interface Pass {
  /** −1 for tokens of an image. */
  readonly tokens: readonly number[];
  readonly targets: readonly number[];
  readonly brightness: number;
  readonly loss: { readonly name: string; readonly config: Readonly<Record<string, number>> };
  readonly columns: Readonly<Record<"weights" | "advantages" | "oldLogProbs", ArrayLike<number>>>;
  readonly backward: boolean;
}

const VOCABULARY = 2048;
const ROWS = 16;
const SIZE = ROWS * VOCABULARY;
const base = Float64Array.from({ length: SIZE }, (_, i) => 2 * Math.sin(1 + 37.719 * i));

export class Bigrams {
  readonly #ways: Losses;
  readonly learned = new Float64Array(SIZE);
  readonly gradient: Float64Array;
  readonly #first = new Float64Array(SIZE);
  readonly #second = new Float64Array(SIZE);
  #steps = 0;
  #data = 0;

  constructor(ways: Losses, leftover: Float64Array | null = null) {
    this.#ways = ways;
    this.gradient = leftover?.slice() ?? new Float64Array(SIZE);
  }

  copy(): Bigrams {
    const copy = new Bigrams(this.#ways);
    copy.restore(this, true);
    return copy;
  }

  restore(from: Bigrams, optimizer: boolean): void {
    this.learned.set(from.learned);
    if (!optimizer) return;
    this.#first.set(from.#first);
    this.#second.set(from.#second);
    this.#steps = from.#steps;
  }

  /** Log-probs of the targets. */
  pass({ tokens, targets, brightness, loss, columns, backward }: Pass): Float32Array {
    const known = this.#ways.losses ?? ["cross_entropy", "importance_sampling", "ppo", "cispo"];
    if (!known.includes(loss.name)) throw new Error(`no loss ${loss.name}`);
    const { weights, advantages, oldLogProbs } = columns;
    let total = 0;
    for (let i = 0; i < targets.length; i++) total += weights[i]!;
    const divisor = this.#ways.dividesByTokens ? Math.max(total, 1e-9) : 1;
    if (backward) this.#data++;
    return Float32Array.from(targets, (target, i) => {
      const logProbs = this.#logProbs(tokens[i]!, brightness);
      const logProb = logProbs[target]!;
      const slope = this.#slope(loss, Math.exp(logProb - oldLogProbs[i]!), advantages[i]!) * (weights[i]! / divisor);
      if (!backward || slope === 0) return logProb;
      const row = rowOf(tokens[i]!) * VOCABULARY;
      for (let v = 0; v < VOCABULARY; v++) {
        this.gradient[row + v]! += slope * (Number(v === target) - Math.exp(logProbs[v]!));
      }
      return logProb;
    });
  }

  /** ∂loss/∂logp of a token. */
  #slope({ name, config }: Pass["loss"], ratio: number, advantage: number): number {
    const { clip_low_threshold: low = 0.8, clip_high_threshold: high = 1.2 } = config;
    if (name === "cross_entropy") return -1;
    if (name === "importance_sampling") return -ratio * advantage;
    if (name === "cispo") {
      const [from, to] = this.#ways.clipsAround ? [1 - low, 1 + high] : [low, high];
      return -Math.min(Math.max(ratio, from), to) * advantage;
    }
    const isClipped = advantage > 0 ? ratio > high : ratio < low;
    return isClipped ? 0 : -ratio * advantage;
  }

  /** The gradient's norm. */
  update(asked: Adam, ignores: readonly (keyof Adam)[]): number {
    const o = { ...asked, ...Object.fromEntries(ignores.map((key) => [key, usual[key as keyof typeof usual]])) };
    const divisor = this.#ways.dividesByData ? Math.max(1, this.#data) : 1;
    let squares = 0;
    for (let i = 0; i < SIZE; i++) squares += (this.gradient[i]! / divisor) ** 2;
    const norm = Math.sqrt(squares);
    const clip = o.grad_clip_norm > 0 && norm > o.grad_clip_norm ? o.grad_clip_norm / norm : 1;
    this.#steps++;
    for (let i = 0; i < SIZE; i++) {
      const g = (this.gradient[i]! / divisor) * clip;
      this.#first[i] = o.beta1 * this.#first[i]! + (1 - o.beta1) * g;
      this.#second[i] = o.beta2 * this.#second[i]! + (1 - o.beta2) * g * g;
      const first = this.#first[i]! / (1 - o.beta1 ** this.#steps);
      const second = this.#second[i]! / (1 - o.beta2 ** this.#steps);
      const decayed = this.learned[i]! * (1 - o.learning_rate * o.weight_decay);
      this.learned[i] = decayed - (o.learning_rate * first) / (Math.sqrt(second) + o.eps);
    }
    this.gradient.fill(0);
    this.#data = 0;
    return norm;
  }

  shrink(factor: number): void {
    for (let i = 0; i < SIZE; i++) this.learned[i] = this.learned[i]! * factor;
  }

  sample(
    prompt: readonly number[],
    brightness: number,
    o: {
      readonly max_tokens: number;
      readonly seed: number;
      readonly temperature: number;
      readonly stop: readonly number[];
    },
  ) {
    const tokens: number[] = [];
    const logProbs: number[] = [];
    let state = (o.seed * 2654435761) >>> 0;
    let last = prompt.at(-1)!;
    while (tokens.length < o.max_tokens) {
      const own = this.#logProbs(last, brightness);
      state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0;
      last = o.temperature === 0 ? argmax(own) : draw(own, ((state ^ (state >>> 13)) >>> 0) / 2 ** 32);
      tokens.push(last);
      logProbs.push(own[last]!);
      if (o.stop.includes(last)) break;
    }
    const stopReason = o.stop.includes(last) ? ("stop" as const) : ("length" as const);
    return { tokens: Int32Array.from(tokens), logProbs: Float32Array.from(logProbs), stopReason };
  }

  #logProbs(token: number, brightness: number): Float64Array {
    const row = rowOf(token) * VOCABULARY;
    const logits = new Float64Array(VOCABULARY);
    let total = 0;
    for (let v = 0; v < VOCABULARY; v++) {
      const bias = brightness === 0 ? 0 : brightness * Math.cos(v);
      logits[v] = base[row + v]! + bias + this.learned[row + v]!;
      total += Math.exp(logits[v]!);
    }
    const norm = Math.log(total);
    for (let v = 0; v < VOCABULARY; v++) logits[v]! -= norm;
    return logits;
  }
}

function rowOf(token: number): number {
  return token < 0 ? 0 : 1 + (token % (ROWS - 1));
}

function argmax(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

function draw(logProbs: Float64Array, uniform: number): number {
  let left = uniform;
  const found = logProbs.findIndex((value) => {
    left -= Math.exp(value);
    return left < 0;
  });
  return found < 0 ? VOCABULARY - 1 : found;
}
