/** Rollout groups as lines of rollouts.jsonl (one per group) and of the step's sidecar (token ids and log-probs). */
import { type ParsedAnswer, parseAnswer } from "../answers/parse.ts";
import { opensThought } from "../answers/prompts.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import { meanOf } from "../core/mean.ts";
import type { AnswerType, Completion, Evidence, RolloutGroup, Segment, TokenValues } from "../core/records.ts";
import { policyLength, policyValues } from "../core/segments.ts";
import type { Reward } from "../rewards/index.ts";
import { type TurnRecord, turnRecords } from "../tools/turn-records.ts";

/** One line of rollouts.jsonl. */
export interface RolloutRecord {
  /** "step/group". */
  readonly id: string;
  readonly step: number;
  readonly stage: string;
  readonly example_id: string;
  /** How the question was put, where it was put in several ways. */
  readonly variant?: string;
  readonly subject_id: string;
  readonly images: readonly {
    readonly path: string;
    readonly sha256: string;
    readonly width: number;
    readonly height: number;
  }[];
  readonly question: string;
  readonly answer: string;
  readonly answer_type: AnswerType;
  readonly choices: readonly string[];
  /** Which of `choices` is right; null where there are none. */
  readonly answer_index: number | null;
  readonly meta: Readonly<Record<string, string>>;
  readonly prompt: string;
  readonly prompt_tokens: number;
  readonly image_tokens: number;
  readonly policy_version: number;
  readonly completions: readonly {
    readonly text: string;
    readonly tokens: number;
    /** With tools: every turn, its call and what came back. */
    readonly turns?: readonly TurnRecord[];
    readonly finish_reason: Completion["finishReason"];
    readonly parsed_answer: ParsedAnswer | null;
    readonly rewards: Readonly<Record<string, number | null>>;
    readonly evidence: readonly Evidence[];
    readonly reward: number | null;
    /** Where tokens have their own, the mean over them. */
    readonly advantage: number;
    /** Only where a stage chooses (train_completions). */
    readonly trained?: boolean;
    readonly mean_log_prob: number;
  }[];
}

/** A group as its line. */
export function rolloutRecord(
  group: RolloutGroup,
  o: {
    readonly step: number;
    readonly stage: string;
    readonly style: AnswerStyle;
    readonly imageTokenId: number;
    /** Optimiser steps of the run that the engine has not counted: those before it resumed. */
    readonly earlierUpdates: number;
  },
  rewards: readonly { readonly reward: Reward }[],
): RolloutRecord {
  const { example, prompt, completions } = group;
  const thinkOpened = opensThought(prompt.text);
  const evidence = rewards.map(({ reward }) => reward.evidence?.(example, completions) ?? []);
  return {
    id: group.id,
    step: o.step,
    stage: o.stage,
    example_id: example.id,
    ...(group.variant === undefined ? {} : { variant: group.variant }),
    subject_id: example.subjectId,
    images: prompt.images.map(({ sha256, width, height }, i) => {
      return { path: example.images[i]!.path, sha256, width, height };
    }),
    question: example.question,
    answer: example.answer,
    answer_type: example.answerType,
    choices: example.choices,
    answer_index: example.answerIndex ?? null,
    meta: example.meta,
    prompt: prompt.text,
    prompt_tokens: prompt.tokenIds.length,
    image_tokens: prompt.tokenIds.filter((id) => id === o.imageTokenId).length,
    policy_version: o.earlierUpdates + (completions[0]?.policyVersion ?? 0),
    completions: completions.map((completion, i) => {
      const { text, finishReason, logProbs, turns, segments, images = [] } = completion;
      return {
        text,
        tokens: policyLength(completion),
        ...(turns === undefined ? {} : { turns: turnRecords(turns, images) }),
        finish_reason: finishReason,
        parsed_answer: parseAnswer(text, { style: o.style, thinkOpened }),
        rewards: Object.fromEntries(Object.entries(group.rewards).map(([name, values]) => [name, values[i]!])),
        evidence: evidence.flatMap((byCompletion) => byCompletion[i] ?? []),
        reward: group.reward[i]!,
        advantage: meanAdvantage(group.advantages[i]!),
        ...(group.chosen === undefined ? {} : { trained: group.chosen[i]! }),
        mean_log_prob: meanOf(policyValues(logProbs, segments)),
      };
    }),
  };
}

function meanAdvantage(advantage: TokenValues): number {
  return typeof advantage === "number" ? advantage : meanOf(advantage);
}

/** One line of the sidecar. */
export interface TokenRecord {
  /** "step/group". */
  readonly id: string;
  /** Log-probs are natural, under the distribution that was sampled from. */
  readonly completions: readonly {
    readonly token_ids: readonly number[];
    readonly log_probs: readonly number[];
    /** Of the distributions that the tokens were drawn from, in nats, to four decimals; absent where the engine cannot tell. */
    readonly entropies?: readonly number[];
    /** With tools: who wrote which tokens, and how many, in order. */
    readonly segments?: readonly Segment[];
    /** Where they differ from token to token. */
    readonly advantages?: readonly number[];
  }[];
}

export function tokenRecord(group: RolloutGroup): TokenRecord {
  return {
    id: group.id,
    completions: group.completions.map(({ tokenIds, logProbs, segments, stats }, i) => {
      const advantage = group.advantages[i]!;
      return {
        token_ids: [...tokenIds],
        log_probs: [...logProbs],
        ...(stats?.entropy === undefined
          ? {}
          : { entropies: [...stats.entropy].map((value) => Math.round(1e4 * value) / 1e4) }),
        ...(segments === undefined ? {} : { segments }),
        ...(typeof advantage === "number" ? {} : { advantages: [...advantage] }),
      };
    }),
  };
}
