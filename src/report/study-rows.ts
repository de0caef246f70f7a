/** What a study predicted, how its arms reason, what they keep and pass on, in words and figures: report and page show the same. */
import { percent, points } from "../core/percent.ts";
import type { StudyArm, StudyPrediction, StudyResults, StudyRetention } from "../runs/study-results.ts";
import { differenceText, pValue, short } from "./format.ts";

/** Predictions with what became of each. */
export interface PredictionRows {
  /** How many held. */
  readonly said: string;
  /** Names of the figures' columns. */
  readonly head: readonly string[];
  readonly rows: readonly {
    readonly name: string;
    readonly because: string;
    readonly verdict: StudyPrediction["verdict"];
    readonly measure: string;
    readonly figures: readonly string[];
  }[];
  readonly note: string;
}

/** Null for a study without predictions. */
export function predictionRows({ predictions }: StudyResults): PredictionRows | null {
  if (predictions.length === 0) return null;
  const held = predictions.filter(({ verdict }) => verdict === "held").length;
  return {
    said: `${held} of ${predictions.length} held. They were written into the study file before it ran.`,
    head: ["arm, other", "difference [95 %]", "p, Holm", "detectable"],
    rows: predictions.map((prediction) => {
      const { arm, against, measure, direction, margin, because, difference, power, verdict } = prediction;
      const within = margin === null ? "" : ` within ${figure(prediction, margin)}`;
      return {
        ...{ name: `${arm} against ${against}`, because, verdict },
        measure: `${measure.replaceAll("_", " ")} ${direction}${within}`,
        figures: [
          values(prediction),
          difference === null ? "–" : change(prediction),
          difference === null ? "–" : pValue(difference.p_holm),
          power === null ? "–" : figure(prediction, power.detectable_difference),
        ],
      };
    }),
    note: 'Higher and lower hold, or fail, where the corrected p value is below 0.05; "same" holds where the whole interval is within its margin. Else undecided: the study could not tell. Holm over all predictions. Detectable: from the pilot, the true difference that this study sees with 80 % power.',
  };
}

/** What arms keep of old questions beside what they gain on new ones. */
export interface RetentionRows {
  /** Names of the figures' columns. */
  readonly head: readonly string[];
  readonly rows: readonly { readonly name: string; readonly figures: readonly string[] }[];
  readonly note: string;
}

/** Null for a study that does not ask for it. */
export function retentionRows({ retention }: StudyResults): RetentionRows | null {
  if (retention == null) return null;
  const { stratum, control, arms } = retention;
  const columns = ["before, after", "change [95 %]", `less ${control} [95 %]`];
  const said = `Old: ${stratum} ${retention.old.join(", ")}. New: ${stratum} ${retention.new.join(", ")}.`;
  return {
    head: ["old", "new"].flatMap((task) => columns.map((column) => `${task}: ${column}`)),
    rows: arms.map((arm) => ({ name: arm.name, figures: [arm.old, arm.new].flatMap(taskFigures) })),
    note: `${said} Accuracy in percent at the first and at the last evaluation; changes in points, paired by question within a seed, pooled over seeds. A way to forget less is worth having where it keeps more of the old than ${control} at no less of the new.`,
  };
}

/** A table of figures by arm. */
export interface FigureTable {
  readonly title: string;
  /** Names of the figures' columns. */
  readonly head: readonly string[];
  readonly rows: readonly { readonly name: string; readonly figures: readonly string[] }[];
}

/** How arms reason, and how right they are by the length of the reference chain where the data say it. */
export interface ReasoningTables {
  readonly tables: readonly FigureTable[];
  readonly note: string;
}

/** Null where no completion has a length. */
export function reasoningTables({ arms }: StudyResults): ReasoningTables | null {
  const known = arms.flatMap(({ name, reasoning }) => (reasoning === null ? [] : [{ name, reasoning }]));
  if (known.length === 0) return null;
  const rows = known.map(({ name, reasoning }) => {
    const { right_lengths, wrong_lengths, tokens_per_right, false_statements, invented_findings } = reasoning;
    const lengths = [spread(right_lengths), spread(wrong_lengths)];
    const shares = [shareText(false_statements), shareText(invented_findings)];
    return { name, figures: [...lengths, tokens_per_right === null ? "–" : short(tokens_per_right), ...shares] };
  });
  const tokens = ["right answers, tokens", "wrong answers, tokens", "tokens for each right answer"];
  const main = { title: "Reasoning", head: [...tokens, "false statements, %", "invented findings, %"], rows };
  const chains = chainTable(known);
  return {
    tables: chains === null ? [main] : [main, chains],
    note: "Last evaluations of all seeds. Lengths: median (10th to 90th percentile). Statements are checked against the facts of their images.",
  };
}

type Reasoned = { readonly name: string; readonly reasoning: NonNullable<StudyArm["reasoning"]> };

function chainTable(arms: readonly Reasoned[]): FigureTable | null {
  const all = arms.flatMap(({ reasoning }) => reasoning.by_chain_length.map(({ statements }) => statements));
  const lengths = [...new Set(all)].sort((a, b) => a - b);
  if (lengths.length === 0) return null;
  const accuracyAt = ({ reasoning }: Reasoned, length: number) =>
    reasoning.by_chain_length.find(({ statements }) => statements === length)?.accuracy ?? null;
  return {
    title: "Accuracy, %, by statements in the reference chain",
    head: lengths.map(String),
    rows: arms.map((arm) => ({
      name: arm.name,
      figures: lengths.map((length) => shareText(accuracyAt(arm, length))),
    })),
  };
}

/** "84 (60–131)". */
function spread(quantiles: readonly number[] | null): string {
  return quantiles === null ? "–" : `${quantiles[2]} (${quantiles[0]}–${quantiles[4]})`;
}

/** What arms were trained on against what they were tested on, a table for each number of solved examples. */
export interface GeneralisationTables {
  readonly tables: readonly {
    readonly title: string;
    readonly head: readonly string[];
    readonly rows: readonly GeneralisationRow[];
  }[];
  readonly note: string;
}

export interface GeneralisationRow {
  readonly name: string;
  readonly trainedOn: string;
  readonly cells: readonly {
    readonly score: string;
    /** Relative to the model before training; null where that is not known, and for itself. */
    readonly change: string | null;
    readonly verdict: "better" | "worse" | "";
    /** Whether the arm was trained on it. */
    readonly own: boolean;
  }[];
  readonly retention: string;
}

/** Null for a study that does not ask for it, or has no such arm yet. */
export function generalisationTables({ generalisation: found }: StudyResults): GeneralisationTables | null {
  if (found === null || found.tables.every(({ rows }) => rows.length === 0)) return null;
  const { stratum, columns } = found;
  return {
    tables: found.tables.map(({ shots, base, rows }) => ({
      title: shots === 0 ? "Without solved examples in the prompt" : `With ${shots} solved examples in the prompt`,
      head: [`trained on (${stratum})`, ...columns.map((name) => `${name}, %`), "retention, %"],
      rows: [
        {
          ...{ name: "before training", trainedOn: "", retention: "–" },
          cells: base.map((value) => ({ score: shareText(value), change: null, verdict: "", own: false }) as const),
        },
        ...rows.map(({ arm, trained_on, scores, relative, retention }) => ({
          ...{ name: arm, trainedOn: trained_on, retention: shareText(retention) },
          cells: scores.map((value, j): GeneralisationRow["cells"][number] => {
            const change = relative[j] ?? null;
            const verdict = change === null || change === 0 ? "" : change > 0 ? "better" : "worse";
            const shown = change === null ? null : `${points(change)} %`;
            return { score: shareText(value), change: shown, verdict, own: columns[j] === trained_on };
          }),
        })),
      ],
    })),
    note: `Accuracy by ${stratum}, mean over seeds, and its change relative to the model before training. Retention: the mean of accuracy over the untrained model's, the arm's own ${stratum} left out; below 100 % training on one kind cost the others.`,
  };
}

function shareText(value: number | null): string {
  return value === null ? "–" : percent(value);
}

function taskFigures(task: StudyRetention["arms"][number]["old"]): readonly string[] {
  if (task === null) return ["–", "–", "–"];
  const { before, after, change, over_control } = task;
  return [
    `${percent(before)}, ${percent(after)}`,
    differenceText(change),
    over_control === null ? "–" : differenceText(over_control),
  ];
}

function values({ values: found, unit }: StudyPrediction): string {
  if (found === null) return "–";
  const show = (value: number) => (unit === "share" ? percent(value) : short(value));
  return `${show(found.arm)}, ${show(found.against)}`;
}

function change({ difference, unit }: StudyPrediction): string {
  return unit === "share" ? differenceText(difference!) : differenceText(difference!, short);
}

function figure({ unit }: StudyPrediction, value: number): string {
  return unit === "share" ? `${percent(value)} points` : `${short(value)} tokens`;
}
