/**
 * What a run tells as it goes. Records come in the order of the run and synchronously; an observer that sends them elsewhere
 * queues them and waits for them in `close`. What an observer throws stops the run.
 */

import type { EvalItem, EvalSummary, shotFigures } from "../../evaluate/index.ts";
import type { Extension } from "../../recipes/extension.ts";
import type { Metrics } from "../../runs/metrics.ts";
import type { PreflightReport } from "../../session/preflight.ts";
import type { RunMemory } from "../../session/run-memory.ts";
import type { Overlap } from "../../session/shared-subjects.ts";
import type { SkippedExample } from "../../train/batches.ts";
import type { RewardEvent } from "../../train/reward-log.ts";
import type { RolloutRecord, TokenRecord } from "../../train/rollout-records.ts";

/** Takes those records that it has a function for. */
export interface RunObserver {
  step?(record: StepRecord): void;
  evaluation?(record: EvaluationRecord): void;
  /** An evaluation with solved examples before the questions. */
  shots?(record: ShotsRecord): void;
  event?(record: RunEvent): void;
  /** Something that a reward wants kept, such as a scorer that failed; its `event` is the reward's own word. */
  rewardEvent?(record: RewardEvent & At): void;
  /** Something for who watches now, which is no part of the run's record. */
  notice?(record: RunNotice): void;
  /** After the run, whether it ended or failed; nothing comes after, except notices of other observers' failures. */
  close?(): Promise<void>;
}

/** Where in a run. */
export interface At {
  /** Of the run, from 1; 0 before the first. */
  readonly step: number;
  /** The stage's kind; "start" before the first. */
  readonly stage: string;
}

/** A step that was trained. */
export interface StepRecord extends At {
  /** The step's place in its stage, from 1, and the stage's steps. */
  readonly ofStage: { readonly step: number; readonly steps: number };
  readonly metrics: Metrics;
  /** Lines of rollouts.jsonl, and of the step's sidecar; empty for stages that sample nothing. */
  readonly rollouts: readonly RolloutRecord[];
  readonly tokens: readonly TokenRecord[];
}

/** An evaluation of the policy. */
export interface EvaluationRecord extends At {
  readonly items: readonly EvalItem[];
  readonly summary: EvalSummary;
}

/** How the policy does with solved examples before the questions. */
export type ShotsRecord = At & ReturnType<typeof shotFigures>;

/** A line of events.jsonl. */
export type RunEvent =
  | (At & PreflightReport & { readonly event: "preflight" })
  | (At & SkippedExample & { readonly event: "example_skipped" })
  | (At & Overlap & { readonly event: "overlap" })
  | (At & { readonly event: "data_changed"; readonly recorded: Readonly<Record<string, string>> })
  | (At & Extension & { readonly event: "extended" })
  | (At & { readonly event: "stage_start"; readonly steps: number })
  | (At & {
      readonly event: "reward_calibrated";
      readonly reward: string;
      readonly measured: Readonly<Record<string, number>>;
    })
  | (At & AlarmSubject & FiredAlarm & { readonly event: "alarm" })
  | (At & AlarmSubject & { readonly event: "alarm_cleared"; readonly value: number; readonly clear: number })
  /** All of the step is told; the checkpoint is written next. */
  | { readonly event: "checkpoint"; readonly step: number; readonly name: string }
  /** `saved`: a file with the batch of a step whose loss is no number. */
  | (At & { readonly event: "error"; readonly message: string; readonly saved?: string })
  | { readonly event: "run_end"; readonly step: number };

interface AlarmSubject {
  readonly rule: string;
  /** A reward or an answer type, where the rule looks at several. */
  readonly subject?: string;
}

interface FiredAlarm {
  readonly threshold: number;
  readonly value: number;
  readonly window: number;
  /** Ids of rollout groups to look at, the latest first. */
  readonly evidence: readonly string[];
  readonly message: string;
  readonly advice: string;
}

export type RunNotice =
  /** What the run's largest step takes of this machine. */
  | { readonly notice: "memory"; readonly memory: RunMemory }
  /** Questions of the evaluation under way that are answered. */
  | { readonly notice: "evaluating"; readonly done: number; readonly total: number }
  /** Goes on after this step; null: there was no checkpoint to go on from. */
  | { readonly notice: "resumed"; readonly step: number | null }
  /**
   * The run ends before its last step, asked to or by an error. `step`: resuming goes on after it, null from the beginning;
   * `lost`: why the work since could not be saved, where it could not.
   */
  | { readonly notice: "stopped"; readonly folder: string; readonly step: number | null; readonly lost: string | null }
  /** A checkpoint that was skipped. */
  | { readonly notice: "checkpoint_damaged"; readonly folder: string; readonly reason: string }
  /** An observer that could not finish. */
  | { readonly notice: "observer_failed"; readonly message: string };
