/** Answers of a run's checkpoints as they are decoded, one question at a time; the model stays open for the next. */
import { parseAnswer } from "../answers/parse.ts";
import { opensThought, questionMessages } from "../answers/prompts.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import { UserError } from "../core/errors.ts";
import type { LiveAnswers, LiveDelta, LiveQuestion } from "../core/live-answers.ts";
import { once } from "../core/once.ts";
import type { Completion } from "../core/records.ts";
import { encodeOptions, type OpenedCheckpoint, openCheckpoint, viewOfRun } from "./checkpoint.ts";
import { type Known, type KnownParts, type KnownRows, knownRows } from "./known-rows.ts";
import { type LiveRewards, openLiveRewards } from "./live-rewards.ts";
import { offline } from "./model-view.ts";
import { type RewardRow, readRewardRow } from "./reward-rows.ts";

export function liveAnswers(): LiveAnswers {
  let open: Opened | null = null;
  let busy = false;
  const close = async () => {
    await open?.checkpoint.engine.close();
    open = null;
  };
  const opened = async ({ folder, step }: LiveQuestion) => {
    const name = `${folder}@${step}`;
    if (open?.name === name) return open;
    await close();
    const live = { rows: 16, cacheBytes: 1e9 };
    const checkpoint = await openCheckpoint(folder, { ...(step === null ? {} : { step }), live, env: offline() });
    const { recipe } = checkpoint;
    open = { name, checkpoint, rows: recipe === null ? null : once(() => knownRows(recipe)) };
    return open;
  };
  return {
    close,
    async *ask(asked, signal) {
      if (busy) throw new UserError("another question is being answered: wait for its end");
      busy = true;
      try {
        yield* answers(await opened(asked), asked, signal);
      } finally {
        busy = false;
      }
    },
  };
}

interface Opened {
  readonly name: string;
  readonly checkpoint: OpenedCheckpoint;
  /** Read when a reference is first given; null where there is no recipe. */
  readonly rows: (() => Promise<KnownRows>) | null;
}

async function* answers(opened: Opened, asked: LiveQuestion, signal: AbortSignal): AsyncIterable<LiveDelta> {
  const { checkpoint } = opened;
  const { engine, processor, prompt: style } = checkpoint;
  const { samples, temperature, seed, maxTokens } = asked;
  const { decode } = engine;
  if (decode === undefined) throw new UserError("this engine answers whole batches alone");
  const view = viewOfRun(checkpoint);
  const images = asked.images.map((image) => ({ ...view, ...image })); // a window that was asked for comes first
  const unscored = { id: "asked", subjectId: "asked", answer: "", answerType: "open", meta: {} } as const;
  const { question, choices } = asked;
  if (asked.reference !== null) rowOf({ ...asked, images }, { text: "", tokenIds: [], finishReason: "stop" }, {}); // refused before it is answered
  const data = asked.reference === null || opened.rows === null ? null : await opened.rows();
  const known = data?.of(asked) ?? { parts: {}, noFacts: null };
  const { before = [] } = known.parts;
  const messages = questionMessages({ ...unscored, before, question, choices, images }, style);
  const prompt = await processor.encode(messages, encodeOptions(style));
  const live = decode(prompt, { numGenerations: samples, maxCompletionLength: maxTokens, temperature, topP: 1, seed });
  signal.addEventListener("abort", () => live.giveUp());
  const tokens = Array.from({ length: samples }, (): number[] => []);
  const parsing = { style: style.style, thinkOpened: opensThought(prompt.text) };
  const ended: LiveCompletion[] = [];
  for await (const { completion, tokenId, finishReason } of live.tokens) {
    const own = tokens[completion]!;
    own.push(tokenId);
    const text = processor.decode(own);
    if (finishReason === null) yield { completion, text, done: false };
    else {
      ended[completion] = { text, tokenIds: own, finishReason };
      yield { completion, text, done: true, answer: parseAnswer(text, parsing)?.text ?? null };
    }
  }
  if (asked.reference === null || signal.aborted) return;
  const { recipe } = checkpoint;
  const targets = data?.targets === undefined ? {} : { trainTargets: data.targets };
  const rewards =
    recipe === null || ended.length === 0 ? null : await openLiveRewards(recipe, { ...parsing, ...targets });
  if (rewards !== null) yield* scored(rewards, { ...asked, images }, ended, known, parsing);
}

interface LiveCompletion extends Pick<Completion, "text" | "finishReason"> {
  readonly tokenIds: readonly number[];
}

/** The question with its reference, and a completion, as rewards read them. Throws UserError for a reference that does not fit. */
function rowOf(
  { question, choices, reference, images }: LiveQuestion,
  completion: LiveCompletion,
  known: KnownParts,
): RewardRow {
  const { answer, answerType } = reference!;
  const { text, tokenIds, finishReason } = completion;
  const asked = { id: "asked", question, answer, ...(choices.length === 0 ? {} : { choices }) };
  const type = answerType === undefined ? {} : { answer_type: answerType };
  const columns = { ...asked, ...type, completion: text, completion_ids: tokenIds, finish_reason: finishReason };
  const row = readRewardRow({ columns, images }, "the reference", { encode: () => new Int32Array(), stopTokenIds: [] });
  return { ...row, example: { ...row.example, ...known } };
}

/** Every completion once more, with what the run's rewards say of it beside the reference. */
async function* scored(
  rewards: LiveRewards,
  asked: LiveQuestion,
  ended: readonly LiveCompletion[],
  { parts, noFacts }: Known,
  parsing: { readonly style: AnswerStyle; readonly thinkOpened: boolean },
): AsyncIterable<LiveDelta> {
  const given = ended.map((completion) => rowOf(asked, completion, parts));
  try {
    const found = await rewards.score(
      given[0]!.example,
      given.map(({ completion }) => completion),
    );
    for (const [completion, scores] of found.entries()) {
      const { text } = ended[completion]!;
      const answer = parseAnswer(text, parsing)?.text ?? null;
      yield { completion, text, done: true, answer, scores: { ...scores, noFacts } };
    }
  } finally {
    await rewards.close();
  }
}
