/**
 * Completions with tools: turns of the policy, each up to a call, and what the calls give back. Tokens are never made anew
 * from text: a turn goes on from the very tokens that were sampled before it.
 */
import { encodeOptions, type PromptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type {
  Completion,
  CompletionTurn,
  Example,
  ImageFeatures,
  Observation,
  Prompt,
  SamplingOptions,
  Segment,
  TokenStat,
} from "../core/records.ts";
import { concatenated } from "../core/tensor-data.ts";
import type { Policy } from "../engine/engine.ts";
import type { Environment } from "./environment.ts";
import { CALL_CLOSE, parseToolCall } from "./parse-call.ts";
import { errorObservation } from "./tool.ts";

export interface AskedExample {
  readonly example: Example;
  readonly prompt: Prompt;
}

/** An open environment, and how completions use it. */
export interface OpenedTools {
  readonly environment: Environment;
  /** Most tokens of one turn. */
  readonly turnLength: number;
  /** The prompt with the tools in it. */
  readonly prompt: PromptStyle;
  /** Names of tools that its workflow requires, in order; empty without one. */
  readonly required: readonly string[];
}

export interface TrajectoryOptions extends OpenedTools {
  readonly processor: Pick<Processor, "encodeTurn">;
}

/** A completion in the making. */
interface Trajectory {
  readonly index: number;
  readonly completion: number;
  readonly parts: Completion[];
  readonly turns: CompletionTurn[];
  readonly observed: Prompt[];
}

/**
 * The completions of each example, in order. `maxCompletionLength` is for all turns and observations together: an observation
 * after which no token would fit is taken back, and the completion ends. What is drawn depends on seed, step, the example's
 * index, completion, turn and position alone.
 */
export async function sampleTrajectories(
  policy: Pick<Policy, "sample">,
  asked: readonly AskedExample[],
  o: SamplingOptions,
  tools: TrajectoryOptions,
): Promise<readonly (readonly Completion[])[]> {
  const { environment, turnLength } = tools;
  const offered = environment.tools.length > 0;
  const turnOptions = { ...o, maxCompletionLength: Math.min(turnLength, o.maxCompletionLength), stopText: CALL_CLOSE };
  const prompts = asked.map(({ prompt }) => prompt);
  const first = await sampled(policy, prompts, offered ? turnOptions : o);
  if (!offered) return first;
  const all = first.map((completions, index) =>
    completions.map((part, completion): Trajectory => {
      return { index, completion, parts: [part], turns: [], observed: [] };
    }),
  );
  let open = all.flat();
  for (let turn = 1; ; turn++) {
    const goesOn = await Promise.all(
      open.map((own) => observe(own, asked[own.index]!, { ...tools, isLast: turn >= environment.maxTurns }, o)),
    );
    open = open.filter((_, i) => goesOn[i]);
    if (open.length === 0) break;
    const next = await sampled(
      policy,
      open.map((own) => promptOf(own, asked[own.index]!.prompt)),
      {
        ...turnOptions,
        numGenerations: 1,
        trainsNext: false, // its images are not all that are trained on
        each: open.map((own) => ({
          draws: [own.index, own.completion, turn],
          maxCompletionLength: Math.min(turnLength, o.maxCompletionLength - lengthOf(own)),
        })),
      },
    );
    for (const [i, own] of open.entries()) own.parts.push(next[i]![0]!);
  }
  return all.map((completions) => completions.map((own) => joined(own, o.tokenStats ?? [])));
}

async function sampled(policy: Pick<Policy, "sample">, prompts: readonly Prompt[], o: SamplingOptions) {
  const found: (readonly Completion[])[] = new Array(prompts.length);
  for await (const { index, completions } of policy.sample(prompts, o)) found[index] = completions;
  return found;
}

/** Runs the call of the last turn, if it has one; returns whether another turn follows. */
async function observe(
  own: Trajectory,
  { example }: AskedExample,
  { environment, processor, prompt, isLast }: TrajectoryOptions & { readonly isLast: boolean },
  { maxCompletionLength }: SamplingOptions,
): Promise<boolean> {
  const { text } = own.parts.at(-1)!;
  const parsed = parseToolCall(text);
  const call = parsed !== null && "call" in parsed ? parsed.call : null;
  const end = () => {
    own.turns.push({ text, call, observation: null });
    return false;
  };
  if (parsed === null || isLast) return end();
  const found = "call" in parsed ? await environment.step(example, parsed.call) : errorObservation(parsed.problem);
  const { observation, encoded } = await encodeObservation(found, processor, prompt);
  if (lengthOf(own) + encoded.tokenIds.length >= maxCompletionLength) {
    own.parts.push({ ...own.parts.pop()!, finishReason: "length" });
    return end();
  }
  own.turns.push({ text, call, observation });
  own.observed.push(encoded);
  return true;
}

/** As the user's turn `<tool_response>…</tool_response>`; text that the model keeps for itself becomes an error. */
async function encodeObservation(
  observation: Observation,
  processor: TrajectoryOptions["processor"],
  prompt: PromptStyle,
): Promise<{ readonly observation: Observation; readonly encoded: Prompt }> {
  const text = (value: string) => ({ type: "text", text: value }) as const;
  const encode = ({ text: said, image }: Observation) => {
    const shown = image === undefined ? [] : [{ type: "image", image } as const];
    const parts = [text("<tool_response>"), ...shown, text(`${said}</tool_response>`)];
    return processor.encodeTurn(parts, encodeOptions(prompt));
  };
  try {
    return { observation, encoded: await encode(observation) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const failed = errorObservation("the result cannot be shown");
    return { observation: failed, encoded: await encode(failed) };
  }
}

/** Tokens of turns and observations so far. */
function lengthOf({ parts, observed }: Trajectory): number {
  return [...parts, ...observed].reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
}

/** Each turn with the observation before it. */
function pieces<T>({ parts, observed }: Trajectory, of: (part: Completion | Prompt) => T): T[] {
  return parts.flatMap((part, i) => (i === 0 ? [of(part)] : [of(observed[i - 1]!), of(part)]));
}

function promptOf(own: Trajectory, prompt: Prompt): Prompt {
  const before = [...pieces(own, (piece) => piece.tokenIds), own.observed.at(-1)!.tokenIds];
  const { tokenIds, images } = prompt;
  return { ...prompt, tokenIds: joinedIds([tokenIds, ...before]), images: [...images, ...imagesOf(own)] };
}

function imagesOf({ observed }: Trajectory): readonly ImageFeatures[] {
  return observed.flatMap(({ images }) => images);
}

function joined(own: Trajectory, asked: readonly TokenStat[]): Completion {
  const last = own.parts.at(-1)!;
  const zeros = (piece: Completion | Prompt) => new Float32Array(piece.tokenIds.length);
  const values = (of: (part: Completion) => Float32Array | undefined) =>
    concatenated(pieces(own, (piece) => ("logProbs" in piece ? of(piece)! : zeros(piece))));
  const known = asked.filter((name) => own.parts.every(({ stats }) => stats?.[name] !== undefined));
  return {
    ...last,
    tokenIds: joinedIds(pieces(own, (piece) => piece.tokenIds)),
    logProbs: values(({ logProbs }) => logProbs),
    segments: pieces(own, (piece): Segment => {
      return { by: "logProbs" in piece ? "policy" : "observation", tokens: piece.tokenIds.length };
    }),
    images: imagesOf(own),
    turns: own.turns,
    ...(known.length === 0
      ? {}
      : { stats: Object.fromEntries(known.map((name) => [name, values(({ stats }) => stats![name])])) }),
  };
}

function joinedIds(parts: readonly Int32Array[]): Int32Array {
  return Int32Array.from(parts.flatMap((part) => [...part]));
}
