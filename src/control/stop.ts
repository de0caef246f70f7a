/**
 * Decoding that ends a thought once the model is sure of its answer (MedAlign's uncertainty-stopped reasoning, with the
 * trial answers of DEER). After a sentence a trial is started while the thought goes on, and nothing behind the sentence is
 * given before the trial is decided: what comes out depends on no schedule. The first sentence whose trial is above the
 * threshold ends the thought, and the answer is decoded greedily.
 */
import { opensThought } from "../answers/prompts.ts";
import { openEventQueue } from "../core/event-queue.ts";
import type { Prompt, ThoughtEnd } from "../core/records.ts";
import type { LiveCompletions, LiveOptions, LivePolicy, LiveToken, Policy } from "../engine/engine.ts";
import { confidenceScores } from "./confidence.ts";
import { openSentenceScan } from "./sentences.ts";
import {
  type AnswerPrompt,
  answerPrompt,
  greedyAnswer,
  optionConfidence,
  type StopOptions,
  type ThoughtProcessor,
  TRIAL_TOKENS,
} from "./trial.ts";

/** What is needed of a model to stop its thoughts. */
export interface StoppableModel {
  readonly decode: LivePolicy["decode"];
  readonly policy: Pick<Policy, "logProbs">;
  readonly processor: ThoughtProcessor;
}

export interface StoppedCompletions extends LiveCompletions {
  /** How the thought of a completion ended; to be asked when its last token has come. */
  endOf(completion: number): ThoughtEnd;
}

/** `decode` of the same model with thoughts that end early. */
export function stoppedDecode(
  model: StoppableModel,
  o: StopOptions,
): (prompt: Prompt, live: LiveOptions) => StoppedCompletions {
  return (prompt, live) => {
    const out = openEventQueue<LiveToken>();
    const rows = model.decode(prompt, live);
    const thoughts = Array.from({ length: live.numGenerations }, (_, completion) => {
      const emit = (token: Omit<LiveToken, "completion">) => out.push({ ...token, completion });
      return followThought({ model, prompt, live, o, emit, endRow: () => rows.giveUp(completion) });
    });
    const giveUp = (completion?: number) => {
      for (const thought of completion === undefined ? thoughts : [thoughts[completion]!]) thought.giveUp();
      rows.giveUp(completion);
    };
    const read = async () => {
      for await (const token of rows.tokens) thoughts[token.completion]!.push(token);
      for (const thought of thoughts) thought.rowEnded();
    };
    Promise.all([read(), ...thoughts.map(({ settled }) => settled)]).then(
      () => out.end(),
      (error: Error) => {
        giveUp();
        out.end(error);
      },
    );
    return { tokens: out, giveUp, endOf: (completion) => thoughts[completion]!.end() };
  };
}

interface ThoughtOptions {
  readonly model: StoppableModel;
  readonly prompt: Prompt;
  readonly live: LiveOptions;
  readonly o: StopOptions;
  readonly emit: (token: Omit<LiveToken, "completion">) => void;
  /** Ends the row that the thought comes from. */
  readonly endRow: () => void;
}

interface Trial {
  readonly confidence: number;
  /** Sampled or scored. */
  readonly tokens: number;
  /** The answer, where the trial came to its end. */
  readonly answer: readonly LiveToken[] | null;
}

interface Check {
  readonly sentence: number;
  readonly asked: AnswerPrompt;
  readonly trial: Promise<Trial>;
}

/** One completion: its tokens are given as far as no open trial could still end the thought before them. */
function followThought({ model, prompt, live, o, emit, endRow }: ThoughtOptions) {
  const { processor } = model;
  const scan = openSentenceScan(processor.decode, opensThought(prompt.text));
  const tokens: LiveToken[] = [];
  const checks = openEventQueue<Check>();
  /** Where checks that are not decided stand, in tokens. */
  const undecided: number[] = [];
  const running = new Set<() => void>();
  let [sentences, given, trials, trialTokens] = [0, 0, 0, 0];
  let stoppedAfter: number | null = null;
  let hasEnded = false;
  let isOver = false;

  const finish = () => {
    isOver = true;
    for (const cancel of running) cancel();
    checks.end();
  };
  const give = (until: number) => {
    for (; given < until; given++) emit(tokens[given]!);
  };
  /** The last token waits for the next one: a check behind it would write it anew. */
  const giveDecided = () => give(Math.min(undecided[0] ?? Infinity, tokens.length + (hasEnded ? 1 : 0)) - 1);

  const decodeAnswer = (asked: AnswerPrompt, most: number) => {
    const row = model.decode(asked.prompt, { ...greedyAnswer, maxCompletionLength: most });
    const cancel = () => row.giveUp();
    running.add(cancel);
    return { tokens: row.tokens, done: () => running.delete(cancel) };
  };
  const attempt = async (asked: AnswerPrompt): Promise<Trial> => {
    if (o.stop === "options" && prompt.options !== undefined) {
      return { ...(await optionConfidence(asked, prompt.options, model.policy, processor)), answer: null };
    }
    const row = decodeAnswer(asked, Math.min(asked.room, TRIAL_TOKENS));
    const drawn: LiveToken[] = [];
    for await (const token of row.tokens) drawn.push(token);
    row.done();
    const isWhole = asked.room <= TRIAL_TOKENS || drawn.at(-1)?.finishReason === "stop";
    const logProbs = drawn.map(({ logProb }) => logProb);
    const confidence = confidenceScores[o.score](logProbs);
    return { confidence, tokens: drawn.length, answer: isWhole ? drawn : null };
  };
  const check = (at: number) => {
    sentences++;
    if (sentences < o.minSentences) return;
    const ids = tokens.slice(0, at).map(({ tokenId }) => tokenId);
    const asked = answerPrompt(prompt, ids, live.maxCompletionLength, processor);
    if (asked.room < 1) return;
    const trial = attempt(asked);
    trial.catch(() => {}); // awaited in its turn
    undecided.push(at);
    checks.push({ sentence: sentences, asked, trial });
  };
  const answerFrom = async ({ asked, sentence }: Check, { answer, tokens: spent }: Trial) => {
    finish();
    endRow();
    stoppedAfter = sentence;
    give(asked.kept);
    for (const tokenId of asked.inducer) emit({ tokenId, logProb: 0, finishReason: null });
    if (answer !== null) return answer.forEach(emit);
    trialTokens += spent;
    const row = decodeAnswer(asked, asked.room);
    for await (const token of row.tokens) emit(token);
  };
  const settle = async () => {
    for await (const one of checks) {
      const trial = await one.trial;
      if (isOver) return;
      trials++;
      if (trial.confidence > o.threshold) return answerFrom(one, trial);
      trialTokens += trial.tokens;
      undecided.shift();
      giveDecided();
    }
    if (!isOver) give(tokens.length);
  };
  return {
    push(token: LiveToken) {
      if (isOver) return;
      tokens.push(token);
      const at = scan.push(token.tokenId);
      if (at !== null) check(at);
      if (token.finishReason !== null) {
        hasEnded = true;
        checks.end();
      }
      giveDecided();
    },
    rowEnded: () => checks.end(),
    giveUp: finish,
    end: (): ThoughtEnd => ({ sentences: stoppedAfter, trials, trialTokens }),
    settled: settle(),
  };
}
