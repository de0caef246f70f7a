/** A study: every arm against the reference, seed by seed, by dimension; what it cost; and its runs. */

import type { StudyArm, StudyResults } from "../../src/runs/study-results.ts";
import { verdictSentence } from "../../src/runs/verdict.ts";
import type { ShownStudy } from "../../src/ui/study.ts";
import { address, setValues } from "../address.ts";
import { differenceText, duration, intervalText, points as percentPoints, pValue, short } from "../format.ts";
import { Button, commas, Select, Table } from "../parts/controls.tsx";
import { Forest, Scatter } from "../parts/small-charts.tsx";
import { Loaded, save, To, useTitle } from "../parts/ways.tsx";
import { useAnswer } from "../use-data.ts";

export function StudyPage({ study: id }: { readonly study: string }) {
  const asked = useAnswer<ShownStudy>(["studies", id]);
  useTitle(`Study ${asked.value?.path ?? id}`);
  return (
    <>
      <h1>Study {asked.value?.path ?? id}</h1>
      <Loaded
        asked={asked}
        show={({ results, problem, runs }) => (
          <>
            {problem !== null && <p class="notice">{problem}</p>}
            {results !== null && <Results results={results} runs={runs} />}
            {results === null && (
              <ul>
                {Object.entries(runs).map(([folder, run]) => (
                  <li key={run}>
                    <To path={["runs", run]}>{folder}</To>
                  </li>
                ))}
              </ul>
            )}
          </>
        )}
      />
    </>
  );
}

function Results({ results, runs }: { readonly results: StudyResults; readonly runs: Readonly<Record<string, string>> }) {
  const dimensions = [...new Set(results.arms.flatMap(({ dimensions }) => dimensions))];
  const chosen = address.value.values["dimension"] ?? "";
  const arms = results.arms.filter((arm) => chosen === "" || arm.dimensions.includes(chosen) || arm.name === results.reference);
  const missing = results.arms.flatMap(({ name, runs: own }) =>
    own.filter(({ status }) => status !== "finished").map((run) => `${name}, seed ${run.seed}: ${run.message ?? run.status}`),
  );
  const compared = arms.filter(({ difference }) => difference !== null);
  const judged = arms.flatMap(({ name, verdict }) => (verdict === null ? [] : [{ name, verdict }]));
  const improved = judged.filter(({ verdict }) => verdict.verdict === "improved");
  return (
    <>
      <p class="muted">{results.about}</p>
      <p class="verdict">
        {improved.length === 0 ? "No arm is" : `${improved.length} of ${judged.length} arms ${improved.length === 1 ? "is" : "are"}`} shown
        to beat {results.baselines.length === 1 ? `the baseline ${results.reference}` : `every baseline (${results.baselines.join(", ")})`}.
      </p>
      <div class="toolbar">
        <Select
          label="dimension"
          value={chosen}
          options={[["", "all"] as const, ...dimensions.map((name) => [name, name] as const)]}
          on={(dimension) => setValues({ dimension })}
        />
        <Button text="save as CSV" on={() => save(`${results.name}.csv`, "text/csv", csvOf(results))} />
      </div>
      <Effects results={results} />
      <Forest
        label={`Accuracy less that of ${results.reference}, points; small marks are seeds`}
        rows={compared.map(({ name, difference }) => ({
          key: name,
          label: name,
          interval: difference,
          dots: difference!.by_seed.map((one) => one.difference),
          note: `Holm ${pValue(difference!.p_holm)}`,
        }))}
      />
      <ul>
        {judged.map(({ name, verdict }) => (
          <li key={name}>
            <b>{name}</b> {verdictSentence(verdict)}
          </li>
        ))}
      </ul>
      <Gains arms={compared} reference={results.reference} />
      <ArmTable arms={arms} reference={results.reference} />
      {missing.length > 0 && (
        <div class="notice">
          <b>Missing cells</b>
          <ul>
            {missing.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </div>
      )}
      <h2>Runs</h2>
      <ul>
        {arms.map(({ name, runs: own }) => (
          <li key={name}>
            {name}:{" "}
            {commas(
              own.map(({ seed, folder }) =>
                runs[folder] === undefined ? `seed ${seed}` : <To path={["runs", runs[folder]]}>seed {seed}</To>,
              ),
            )}
          </li>
        ))}
      </ul>
      <p class="muted">{results.method}</p>
    </>
  );
}

/** What acting on each dimension does in the mean; small marks are its arms. */
function Effects({ results: { dimensions, arms, reference } }: { readonly results: StudyResults }) {
  const rows = (dimensions ?? []).map(({ name, arms: own, effect }) => ({
    key: name,
    label: name,
    interval: effect,
    dots: arms.flatMap((arm) => (own.includes(arm.name) ? (arm.difference?.estimate ?? []) : [])),
    note: effect === null ? "" : `Holm ${pValue(effect.p_holm)}`,
  }));
  return rows.length === 0 ? null : (
    <Forest label={`Main effects of dimensions against ${reference}, points; small marks are arms`} rows={rows} />
  );
}

/** What each arm gains for what it costs. Its figures stand in the table below. */
function Gains({ arms, reference }: { readonly arms: readonly StudyArm[]; readonly reference: string }) {
  const points = arms.flatMap(({ name, difference, cost }) =>
    cost?.ratio == null || difference === null
      ? []
      : [{ name, x: cost.ratio, y: difference.estimate, low: difference.low, high: difference.high }],
  );
  return points.length === 0 ? null : (
    <Scatter
      label={`Gain over ${reference} in points, against cost as a multiple of its time`}
      points={points}
      x={(ratio) => `×${ratio.toFixed(2)}`}
      y={percentPoints}
    />
  );
}

function ArmTable({ arms, reference }: { readonly arms: readonly StudyArm[]; readonly reference: string }) {
  const rows = arms.map(({ name, about, runs, accuracy, difference, cost }) => ({
    key: name,
    cells: [
      <>
        {name} <small>{about}</small>
      </>,
      runs.filter(({ status }) => status === "finished").length,
      accuracy === null ? "–" : intervalText(accuracy),
      accuracy?.seed_sd == null ? "–" : (100 * accuracy.seed_sd).toFixed(1),
      difference === null ? (name === reference ? "reference" : "–") : differenceText(difference),
      runs.map(({ reward }) => (reward === null ? "–" : `${short(reward.first)} → ${short(reward.last)}`)).join("; "),
      cost === null ? "–" : `${duration(cost.seconds)}${cost.ratio === null ? "" : ` ×${cost.ratio.toFixed(2)}`}`,
    ],
  }));
  const head = ["arm", "seeds", "accuracy", "SD of seeds", "difference", "reward, first to last fifth", "cost"];
  return <Table label="Arms" head={head} rows={rows} />;
}

function csvOf({ arms }: StudyResults): string {
  const cell = (value: unknown) => (typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : String(value ?? ""));
  const rows = arms.map(({ name, accuracy, difference, cost }) => [
    ...[name, accuracy?.estimate, accuracy?.low, accuracy?.high, accuracy?.seed_sd],
    ...[difference?.estimate, difference?.low, difference?.high, difference?.p_holm, cost?.seconds],
  ]);
  const head = "arm,accuracy,accuracy_low,accuracy_high,seed_sd,difference,difference_low,difference_high,p_holm,seconds";
  return [head, ...rows.map((row) => row.map(cell).join(","))].join("\n");
}
