/** A study: every arm against the reference, seed by seed, by dimension; what it cost; and its runs. */
import type { StudyArm, StudyResults } from "../../src/runs/study-results.ts";
import type { ShownStudy } from "../../src/ui/study.ts";
import { address, setValues } from "../address.ts";
import { differenceText, duration, intervalText, pValue, short } from "../format.ts";
import { Forest } from "../parts/small-charts.tsx";
import { CopyButton, Loaded, To, useTitle } from "../parts/ways.tsx";
import { api, read } from "../source.ts";
import { useData } from "../use-data.ts";

export function StudyPage({ study: id }: { readonly study: string }) {
  const asked = useData(
    `study ${id}`,
    async () => (await read(api.studies[":study"].$get({ param: { study: id } }))) as unknown as ShownStudy,
  );
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

function Results({
  results,
  runs,
}: {
  readonly results: StudyResults;
  readonly runs: Readonly<Record<string, string>>;
}) {
  const dimensions = [...new Set(results.arms.flatMap(({ dimensions }) => dimensions))];
  const chosen = address.value.values["dimension"] ?? "";
  const arms = results.arms.filter(
    (arm) => chosen === "" || arm.dimensions.includes(chosen) || arm.name === results.reference,
  );
  const missing = results.arms.flatMap(({ name, runs: own }) =>
    own
      .filter(({ status }) => status !== "finished")
      .map((run) => `${name}, seed ${run.seed}: ${run.message ?? run.status}`),
  );
  const decided = arms.filter(({ difference }) => difference !== null && (difference.low > 0 || difference.high < 0));
  const compared = arms.filter(({ difference }) => difference !== null);
  return (
    <>
      <p class="muted">{results.about}</p>
      <p class="verdict">
        {decided.length === 0
          ? `All ${compared.length} intervals include 0: nothing is decided against ${results.reference}.`
          : `${decided.length} of ${compared.length} arms differ from ${results.reference} by an interval that excludes 0.`}
      </p>
      <div class="toolbar">
        <label>
          dimension{" "}
          <select value={chosen} onChange={(event) => setValues({ dimension: event.currentTarget.value })}>
            <option value="">all</option>
            {dimensions.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <CopyButton label="copy as CSV" text={() => csvOf(results)} />
      </div>
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
            {own.map(({ seed, folder }, i) => (
              <span key={folder}>
                {i > 0 && ", "}
                {runs[folder] === undefined ? `seed ${seed}` : <To path={["runs", runs[folder]]}>seed {seed}</To>}
              </span>
            ))}
          </li>
        ))}
      </ul>
      <p class="muted">{results.method}</p>
    </>
  );
}

function ArmTable({ arms, reference }: { readonly arms: readonly StudyArm[]; readonly reference: string }) {
  return (
    <div class="wide-scroll" tabIndex={0} role="region" aria-label="Arms">
      <table>
        <thead>
          <tr>
            <th scope="col">arm</th>
            <th scope="col">seeds</th>
            <th scope="col">accuracy</th>
            <th scope="col">SD of seeds</th>
            <th scope="col">difference</th>
            <th scope="col">reward, first to last fifth</th>
            <th scope="col">cost</th>
          </tr>
        </thead>
        <tbody>
          {arms.map((arm) => (
            <tr key={arm.name}>
              <th scope="row">
                {arm.name}
                <small> {arm.about}</small>
              </th>
              <td>{arm.runs.filter(({ status }) => status === "finished").length}</td>
              <td class="number">{arm.accuracy === null ? "–" : intervalText(arm.accuracy)}</td>
              <td class="number">{arm.accuracy?.seed_sd == null ? "–" : (100 * arm.accuracy.seed_sd).toFixed(1)}</td>
              <td class="number">
                {arm.difference === null
                  ? arm.name === reference
                    ? "reference"
                    : "–"
                  : differenceText(arm.difference)}
              </td>
              <td class="number">
                {arm.runs
                  .map(({ reward }) => (reward === null ? "–" : `${short(reward.first)} → ${short(reward.last)}`))
                  .join("; ")}
              </td>
              <td class="number">
                {arm.cost === null ? "–" : duration(arm.cost.seconds)}
                {arm.cost?.ratio != null && <small> ×{arm.cost.ratio.toFixed(2)}</small>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function csvOf({ arms }: StudyResults): string {
  const cell = (value: unknown) =>
    typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : String(value ?? "");
  const rows = arms.map(({ name, accuracy, difference, cost }) => [
    ...[name, accuracy?.estimate, accuracy?.low, accuracy?.high, accuracy?.seed_sd],
    ...[difference?.estimate, difference?.low, difference?.high, difference?.p_holm, cost?.seconds],
  ]);
  const head =
    "arm,accuracy,accuracy_low,accuracy_high,seed_sd,difference,difference_low,difference_high,p_holm,seconds";
  return [head, ...rows.map((row) => row.map(cell).join(","))].join("\n");
}
