/**
 * Datums as groups of the engine. Datums in a row that begin alike share the computation of what they share: it becomes a
 * prompt, and the rest of each a completion of it. Whatever else is predicted, is predicted in place.
 */
import { UserError } from "../../core/errors.ts";
import type { TrainingCompletion, TrainingGroup } from "../../engine/engine.ts";
import type { Datum } from "../../tinker/index.ts";
import type { EncodedInput } from "./input.ts";
import type { ChosenLoss } from "./losses.ts";

/** A datum with its arrays checked: each has one value per token of the input. */
export interface CheckedDatum {
  readonly input: EncodedInput;
  readonly targets: Int32Array;
  /** 0 where the loss is 0 whatever the model says: by its weight or its advantage. */
  readonly weights: Float32Array;
  readonly advantages: Float32Array;
  readonly oldLogProbs: Float32Array;
  /** Not 0 where a token counts in its sequence's ratio; empty where the loss does not ask for it. */
  readonly ratioMask: Float32Array;
}

/** Arrays that a loss may read; others are refused, since they are meant to change something. */
const ARRAYS = ["target_tokens", "weights", "logprobs", "advantages", "sequence_ratio_mask"];

/** Throws UserError that names what is wrong; `where` names the datum. */
export function checkDatum(datum: Datum, input: EncodedInput, { reads }: ChosenLoss, where: string): CheckedDatum {
  const { length } = input.tokenIds;
  const unknown = Object.keys(datum.inputs).find((name) => !ARRAYS.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`${where}.loss_fn_inputs.${unknown.slice(0, 60)} is not supported: ${ARRAYS.join(", ")} are`);
  }
  const array = (name: string): Float32Array | Int32Array | null => {
    const tensor = datum.inputs[name];
    if (tensor === undefined) return null;
    if (tensor.data.length !== length) {
      throw new UserError(
        `${where}.loss_fn_inputs.${name} has ${tensor.data.length} values, the input has ${length} tokens`,
      );
    }
    return tensor.data;
  };
  const numbers = (name: string): Float32Array | null => {
    const data = array(name);
    if (data === null) return null;
    const odd = data.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0) throw new UserError(`${where}.loss_fn_inputs.${name}[${odd}] is ${data[odd]}`);
    return Float32Array.from(data);
  };
  const required = <T>(name: string, data: T | null): T => {
    if (data === null) throw new UserError(`${where}.loss_fn_inputs.${name} is missing: the loss reads it`);
    return data;
  };
  const targets = required("target_tokens", array("target_tokens"));
  if (!(targets instanceof Int32Array)) {
    throw new UserError(`${where}.loss_fn_inputs.target_tokens must be of dtype int64`);
  }
  const own = Object.fromEntries(reads.map((name) => [name, required(name, numbers(name))]));
  const advantages = own["advantages"] ?? new Float32Array(length).fill(1);
  const weights = numbers("weights") ?? new Float32Array(length).fill(1);
  return {
    input,
    targets,
    weights: weights.map((weight, i) => (advantages[i] === 0 ? 0 : weight)),
    advantages,
    oldLogProbs: own["logprobs"] ?? new Float32Array(length),
    ratioMask: own["sequence_ratio_mask"] ?? new Float32Array(0),
  };
}

/**
 * A datum whose tokens' ratios all have the value of its sequence's, the geometric mean of those that the mask marks, as
 * GSPO-token has it (arXiv 2507.18071): each keeps the gradient of its own log-prob. `logProbs` are the present ones.
 */
export function withSequenceRatio(datum: CheckedDatum, logProbs: Float32Array): CheckedDatum {
  const marked = [...datum.ratioMask.keys()].filter((i) => datum.ratioMask[i] !== 0);
  const total = marked.reduce((sum, i) => sum + logProbs[i]! - datum.oldLogProbs[i]!, 0);
  const logRatio = marked.length === 0 ? 0 : total / marked.length;
  return { ...datum, oldLogProbs: logProbs.map((logProb) => logProb - logRatio) };
}

/** Groups for the engine, and how to put its numbers back into one array per datum, as long as its input. */
export interface GroupedDatums {
  readonly groups: readonly TrainingGroup[];
  /** From one array per completion in the engine's order. */
  apart(results: readonly Float32Array[]): readonly Float32Array[];
}

export function groupDatums(datums: readonly CheckedDatum[]): GroupedDatums {
  const runs = runsOf(datums);
  const groups = runs.map(({ members, shared }): TrainingGroup => {
    const [first] = members as [CheckedDatum];
    const { input } = first;
    if (members.length === 1) return { prompt: input, completions: [], inPlace: part(first, 0, first.targets.length) };
    const prompt = { ...input, tokenIds: input.tokenIds.slice(0, shared) };
    const completions = members.map((datum) => part(datum, shared - 1, datum.targets.length));
    return shared === 1 ? { prompt, completions } : { prompt, completions, inPlace: part(first, 0, shared - 1) };
  });
  return {
    groups,
    apart(results) {
      let next = 0;
      return runs.flatMap(({ members, shared }) => {
        if (members.length === 1) return [results[next++]!];
        const before = shared === 1 ? new Float32Array(0) : results[next++]!;
        return members.map(({ targets }) => {
          const whole = new Float32Array(targets.length);
          whole.set(before);
          whole.set(results[next++]!, shared - 1);
          return whole;
        });
      });
    },
  };
}

/** Datums that follow each other, and the number of input tokens that they share. */
interface Run {
  readonly members: CheckedDatum[];
  shared: number;
}

function runsOf(datums: readonly CheckedDatum[]): readonly Run[] {
  const runs: Run[] = [];
  let least = 0; // from here on all members' targets are what their inputs go on with
  for (const datum of datums) {
    const open = runs.at(-1);
    const own = continuesFrom(datum);
    const need = Math.max(least, own);
    const first = open?.members[0];
    const shared = first === undefined ? 0 : Math.min(open!.shared, untrained(datum), sharedTokens(first, datum));
    if (
      open !== undefined &&
      shared >= need &&
      first!.targets.slice(0, need - 1).join() === datum.targets.slice(0, need - 1).join()
    ) {
      open.members.push(datum);
      open.shared = shared;
      least = need;
      continue;
    }
    runs.push({ members: [datum], shared: untrained(datum) });
    least = own;
  }
  return runs;
}

/** The smallest number of input tokens, images among them, after which every target is the next input token. */
function continuesFrom({ input: { tokenIds, imagesEnd }, targets }: CheckedDatum): number {
  let start = tokenIds.length;
  while (start > 1 && targets[start - 2] === tokenIds[start - 1]) start--;
  return Math.max(start, imagesEnd, 1);
}

function sharedTokens(a: CheckedDatum, b: CheckedDatum): number {
  if (a.input.images.length !== b.input.images.length) return 0;
  if (a.input.images.some(({ sha256 }, i) => sha256 !== b.input.images[i]!.sha256)) return 0;
  const [x, y] = [a.input.tokenIds, b.input.tokenIds];
  const most = Math.min(x.length, y.length);
  let shared = 0;
  while (shared < most && x[shared] === y[shared]) shared++;
  return shared;
}

/** Input tokens of which all but the last have nothing to predict that counts. */
function untrained({ weights }: CheckedDatum): number {
  const first = weights.findIndex((weight) => weight !== 0);
  return first < 0 ? weights.length : first + 1;
}

/** Predictions at input tokens `from` to `end`. */
function part(
  { targets, weights, advantages, oldLogProbs }: CheckedDatum,
  from: number,
  end: number,
): TrainingCompletion {
  return {
    tokenIds: targets.slice(from, end),
    weight: weights.slice(from, end),
    advantage: advantages.slice(from, end),
    oldLogProbs: oldLogProbs.slice(from, end),
  };
}
