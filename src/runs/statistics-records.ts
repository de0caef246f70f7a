/** What statistics say of runs: plain records that are computed from evals.jsonl and shown by whoever shows runs. */

/** A mean with its 95 % interval over subjects. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  /** Rows. */
  readonly n: number;
  readonly subjects: number;
}

/** Gaps of a group in yes/no questions against all other subjects; null where a share has no questions. */
export interface SubgroupFigures {
  /** The stratum of `meta`, and the group's value. */
  readonly stratum: string;
  readonly value: string;
  /** Yes/no questions of the group and of the rest. */
  readonly n: number;
  readonly rest: number;
  readonly disparate_impact: Interval | null;
  readonly parity_difference: Interval | null;
  readonly opportunity_difference: Interval | null;
  readonly odds_difference: Interval | null;
}

/** Two evaluations of the same questions, question by question. */
export interface PairedChange {
  /** Later less earlier, or arm less reference; a share. */
  readonly difference: Interval;
  /** Questions wrong before and right after. */
  readonly won: number;
  readonly lost: number;
  /** McNemar's exact two-sided p, over rows. */
  readonly p: number;
  /** The exact two-sided p over subjects, whose rows may all change together. */
  readonly subjects_p: number;
}

/** An evaluation that a reader compares: the first of a run, and the last of every stage. */
export interface Milestone {
  readonly step: number;
  readonly stage: string;
}

export interface MilestoneChange {
  readonly from: Milestone;
  readonly to: Milestone;
  readonly change: PairedChange;
}

/** The questions that share a value of a stratum, such as question_type: "side". */
export interface StratumRow {
  readonly value: string;
  readonly n: number;
  /** Strict accuracy at each milestone; null where it has no such question. */
  readonly accuracies: readonly (Interval | null)[];
  /** From the last milestone but one to the last, which is what the last stage did; null with fewer than two. */
  readonly change: PairedChange | null;
}

export interface Stratum {
  readonly name: string;
  readonly rows: readonly StratumRow[];
}

/** A question whose outcome changed between the last two milestones. */
export interface Flip {
  readonly question: string;
  readonly answer: string;
  readonly before: string;
  readonly after: string;
  readonly won: boolean;
}

/** How a reward of a run goes with length and with right answers within its groups, late in training. */
export interface RewardCorrelation {
  /** Null is the weighted sum. */
  readonly reward: string | null;
  /** Null where one of the two does not vary within groups. */
  readonly with_length: Interval | null;
  readonly with_accuracy: Interval | null;
}

export interface RunStatistics {
  readonly milestones: readonly Milestone[];
  /** From each milestone to the next, then from the first to the last where others lie between. */
  readonly changes: readonly MilestoneChange[];
  readonly strata: readonly Stratum[];
  /** Some of the questions that changed between the last two milestones, and how many did. */
  readonly flips: { readonly shown: readonly Flip[]; readonly won: number; readonly lost: number };
}

/** The last evaluation of an arm against that of the reference arm, on the questions both answered. */
export interface ArmComparison {
  readonly label: string;
  readonly reference: string;
  /** Null where the arms share no question; `reason` then says why. */
  readonly change: PairedChange | null;
  readonly reason: string | null;
  /** By question type, where the questions have one. */
  readonly strata: readonly { readonly value: string; readonly change: PairedChange }[];
}
