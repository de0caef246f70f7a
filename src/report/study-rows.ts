/** What a study predicted and what its arms keep, in words and figures: the report and the study's page show the same. */
import { percent } from "../core/percent.ts";
import type { StudyPrediction, StudyResults, StudyRetention } from "../runs/study-results.ts";
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
