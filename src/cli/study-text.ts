/** A study's plan and results as text and as JSON. */

import { duration } from "../core/duration.ts";
import { meanOf } from "../core/mean.ts";
import { percent, points } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import type { StudyArm, StudyPrediction, StudyResults, StudyRetention } from "../runs/study-results.ts";
import type { Study } from "../study/load.ts";
import { studyMeasures } from "../study/measures.ts";
import { pilotPower } from "../study/pilot.ts";
import type { PlannedRun } from "../study/plan.ts";
import { sharedRuns } from "../study/results.ts";

export interface Plan {
  readonly study: Study;
  readonly runs: readonly PlannedRun[];
  /** Seconds by run folder. */
  readonly estimates: ReadonlyMap<string, number>;
  readonly finished: ReadonlyMap<string, number>;
  /** Seconds. */
  readonly left: number;
}

/** The plan as a table of arms, with what is shared and the time it takes. */
export function planText({ study, runs, estimates, finished, left }: Plan): string {
  const arms = study.arms.filter(({ name }) => runs.some(({ arm }) => arm === name));
  const seeds = new Set(runs.map(({ seed }) => seed));
  const rows = arms.map((arm) => {
    const own = runs.filter((run) => run.arm === arm.name);
    const run = own[0]!;
    const stages = run.recipe.stages.map(
      ({ kind, steps }, i) => `${kind} ${steps ?? "epochs"}${i < run.inherited ? "*" : ""}`,
    );
    const seconds = meanOf(own.map(({ folder }) => estimates.get(folder)!));
    return [arm.name, arm.dimensions.join(", "), stages.join(" → "), duration(seconds)];
  });
  const starts = sharedRuns(runs).map(({ folder, stages, used_by }) => {
    return `  ${folder} (${stages.join(" → ")}, ${duration(estimates.get(folder)!)}): ${used_by.length} runs go on from it`;
  });
  const prefixes = runs.filter(({ arm }) => arm === null).length;
  const counts = [
    `${runs.length - prefixes} runs`,
    ...(prefixes > 0 ? [`${prefixes} shared starts that are no arm`] : []),
  ];
  const done = finished.size > 0 ? `${finished.size} of ${runs.length} are finished; ` : "";
  return [
    `${study.name}: ${arms.length} arms, ${seeds.size} seeds: ${counts.join(" and ")}`,
    ...alignColumns([["arm", "dimensions", "stages (* shared)", "time a run"], ...rows]),
    ...(starts.length > 0 ? ["trained once and shared:", ...starts] : []),
    ...powerRows(study),
    `${done}estimated time: ${duration(left)}`,
  ].join("\n");
}

/** The plan for machines. */
export function planRecord({ study, runs, estimates, finished, left }: Plan) {
  return {
    name: study.name,
    seconds_left: left,
    runs: runs.map(({ folder, arm, seed, parent, weights, recipe, inherited }) => ({
      ...{ folder, arm, seed, parent, weights, inherited },
      stages: recipe.stages.map(({ kind, steps }) => ({ kind, steps })),
      estimated_seconds: estimates.get(folder)!,
      finished: finished.has(folder),
    })),
    shared: sharedRuns(runs),
  };
}

/** A table for each dimension, then the ranking. */
export function resultText(results: StudyResults): string {
  const byName = new Map(results.arms.map((arm) => [arm.name, arm]));
  const ofNone = results.arms.some(({ name, dimensions }) => dimensions.length === 0 && name !== results.reference);
  const dimensions = [...new Set(results.arms.flatMap((arm) => arm.dimensions))];
  const parts = dimensions.map((dimension) => {
    const arms = results.arms.filter((arm) => arm.name === results.reference || arm.dimensions.includes(dimension));
    return `${dimension}\n${armTable(arms, results)}`;
  });
  const others = results.arms.filter(({ dimensions }) => dimensions.length === 0);
  const rest = ofNone ? [`other arms\n${armTable(others, results)}`] : [];
  const ranked = results.ranking.map((name, i) => `${i + 1}. ${name} ${percent(byName.get(name)!.accuracy!.estimate)}`);
  const troubles = results.arms.flatMap(({ runs }) =>
    runs.flatMap(({ folder, status, message }) => (status === "failed" ? [`failed: ${folder}: ${message}`] : [])),
  );
  const { predictions } = results;
  const predicted = predictions.length === 0 ? [] : [`predictions\n${predictionTable(predictions)}`];
  const kept =
    results.retention == null ? [] : [`retention, old and new questions\n${retentionTable(results.retention)}`];
  return [...parts, ...rest, ...predicted, ...kept, `ranking, accuracy %: ${ranked.join("  ")}`, ...troubles].join(
    "\n\n",
  );
}

function retentionTable({ arms, control }: StudyRetention): string {
  const change = (found: { readonly estimate: number; readonly low: number; readonly high: number } | null) =>
    found === null ? "–" : `${points(found.estimate)} [${points(found.low)}, ${points(found.high)}]`;
  const rows = arms.map((arm) => [
    arm.name,
    ...[arm.old, arm.new].flatMap((task) =>
      task === null
        ? ["–", "–", "–"]
        : [`${percent(task.before)}, ${percent(task.after)}`, change(task.change), change(task.over_control)],
    ),
  ]);
  const head = ["old", "new"].flatMap((task) => [`${task} %`, "change", `less ${control}`]);
  return alignColumns([["arm", ...head], ...rows]).join("\n");
}

function armTable(arms: readonly StudyArm[], { reference, baselines }: StudyResults): string {
  const rows = arms.map(({ name, accuracy, difference, verdict, cost, runs }) => [
    name,
    accuracy === null ? "–" : `${percent(accuracy.estimate)} [${percent(accuracy.low)}, ${percent(accuracy.high)}]`,
    accuracy?.seed_sd == null ? "–" : percent(accuracy.seed_sd),
    name === reference
      ? "reference"
      : difference === null
        ? "–"
        : `${points(difference.estimate)} [${points(difference.low)}, ${points(difference.high)}]`,
    difference === null ? "" : difference.p_holm.toFixed(3),
    baselines.includes(name) ? "baseline" : verdict === null ? "–" : verdictWord(verdict),
    rewardChange(runs),
    cost === null ? "–" : duration(cost.seconds),
    cost?.ratio == null ? "–" : cost.ratio.toFixed(2),
    `${runs.filter(({ status }) => status === "finished").length}/${runs.length}`,
  ]);
  return alignColumns([
    [
      "arm",
      "accuracy % [95 %]",
      "seed sd",
      `against ${reference}`,
      "p Holm",
      "verdict",
      "reward, first → last fifth",
      "time",
      "× ref.",
      "runs",
    ],
    ...rows,
  ]).join("\n");
}

/** Shares in percentage points, lengths in tokens. */
function predictionTable(predictions: readonly StudyPrediction[]): string {
  const rows = predictions.map(({ arm, against, measure, direction, unit, difference, verdict }) => {
    const show = unit === "share" ? points : (tokens: number) => tokens.toFixed(1);
    const found =
      difference === null ? "–" : `${show(difference.estimate)} [${show(difference.low)}, ${show(difference.high)}]`;
    const p = difference === null ? "" : difference.p_holm.toFixed(3);
    return [`${arm} against ${against}`, `${measure} ${direction}`, found, p, verdict];
  });
  return alignColumns([["", "predicted", "difference [95 %]", "p Holm", "verdict"], ...rows]).join("\n");
}

/** What the pilot says of the study's power, a row for each prediction; none without a pilot. */
function powerRows(study: Study): readonly string[] {
  if (study.pilot === null) return [];
  const of = pilotPower(study);
  const rows = study.predicts.map((prediction) => {
    const { arm, against, measure } = prediction;
    const found = of(prediction);
    const show = studyMeasures[measure].unit === "share" ? percent : (tokens: number) => tokens.toFixed(1);
    const power = found === null ? ["not in the pilot", ""] : [show(found.detectable_difference), percent(found.power)];
    return [`${arm} against ${against}`, measure, ...power];
  });
  const head = ["", "measure", "detectable with 80 % power", "power for the pilot's difference, %"];
  return [`power with ${study.seeds.length} seeds, from ${study.pilot}:`, ...alignColumns([head, ...rows])];
}

function verdictWord({ verdict, against }: NonNullable<StudyArm["verdict"]>): string {
  return verdict === "improved" ? "improved" : `${verdict.replace("_", " ")} (${against})`;
}

/** Mean over seeds, and with how many of them the reward rose. */
function rewardChange(runs: StudyArm["runs"]): string {
  const rewards = runs.flatMap(({ reward }) => reward ?? []);
  if (rewards.length === 0) return "–";
  const mean = (part: "first" | "last") => meanOf(rewards.map((reward) => reward[part]));
  const rose = rewards.filter(({ first, last }) => last > first).length;
  return `${mean("first").toFixed(3)} → ${mean("last").toFixed(3)}, rose in ${rose}/${rewards.length}`;
}
