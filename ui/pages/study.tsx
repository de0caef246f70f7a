/** A study: what it predicted, every arm against the reference in every outcome, seed by seed; what arms keep, what they cost; its runs. */
import type { ComponentChildren } from "preact";
import { generalisationTables, predictionRows, reasoningTables, retentionRows } from "../../src/report/study-rows.ts";
import type { StudyArm, StudyOutcome, StudyResults } from "../../src/runs/study-results.ts";
import { verdictSentence } from "../../src/runs/verdict.ts";
import type { ShownStudy } from "../../src/ui/study.ts";
import { address, setValues } from "../address.ts";
import { differenceText, duration, intervalText, percent, points as percentPoints, pValue, short } from "../format.ts";
import { Button, Select, Table } from "../parts/controls.tsx";
import { Forest, Scatter } from "../parts/small-charts.tsx";
import { Loaded, ReportLink, save, To, useTitle } from "../parts/ways.tsx";
import { useAnswer } from "../use-data.ts";

export function StudyPage({ study: id }: { readonly study: string }) {
  const asked = useAnswer<ShownStudy>(["studies", id]);
  useTitle(`Study ${asked.value?.path ?? id}`);
  return (
    <>
      <h1>Study {asked.value?.path ?? id}</h1>
      <Loaded
        asked={asked}
        show={({ results, problem, runs, report }) => (
          <>
            {report && <ReportLink route={["studies", id, "report"]} />}
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
  const outcomes = outcomesOf(results);
  const outcome = outcomes.find(({ measure }) => measure === address.value.values["outcome"]) ?? outcomes[0]!;
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
      <Predictions results={results} />
      <div class="toolbar">
        <Select
          label="dimension"
          value={chosen}
          options={[["", "all"] as const, ...dimensions.map((name) => [name, name] as const)]}
          on={(dimension) => setValues({ dimension })}
        />
        <Select
          label="outcome"
          value={outcome.measure}
          options={outcomes.map(({ measure, about }) => [measure, about] as const)}
          on={(measure) => setValues({ outcome: measure })}
        />
        <Button text="save as CSV" on={() => save(`${results.name}.csv`, "text/csv", csvOf(results))} />
      </div>
      <Effects results={results} />
      <OutcomeForest {...{ outcome, results }} shown={arms.map(({ name }) => name)} />
      <ul>
        {judged.map(({ name, verdict }) => (
          <li key={name}>
            <b>{name}</b> {verdictSentence(verdict)}
          </li>
        ))}
      </ul>
      <Gains arms={compared} reference={results.reference} />
      <Retention results={results} />
      <Generalisation results={results} />
      <Reasoning results={results} />
      <ArmTable arms={arms} reference={results.reference} />
      <Cells {...{ results, runs, arms }} />
      <p class="muted">{results.method}</p>
    </>
  );
}

const badges = { held: "good", failed: "bad", undecided: "warn", "not run": "" } as const;

/** What was predicted before the study ran, and what became of it. */
function Predictions({ results }: { readonly results: StudyResults }) {
  const found = predictionRows(results);
  if (found === null) return null;
  const rows = found.rows.map(({ name, because, measure, figures, verdict }, i) => ({
    key: i,
    cells: [
      <>
        {name} <small>{because}</small>
      </>,
      <span class={`badge ${badges[verdict]}`}>{verdict}</span>,
      ...[measure, ...figures],
    ],
  }));
  return (
    <Part title="Predictions" note={found.note}>
      <p>{found.said}</p>
      <Table label="Predictions" head={["prediction", "verdict", "measure", ...found.head]} rows={rows} />
    </Part>
  );
}

/** What the arms keep of old questions beside what they gain on new ones. */
function Retention({ results }: { readonly results: StudyResults }) {
  const found = retentionRows(results);
  if (found === null) return null;
  const rows = found.rows.map(({ name, figures }) => ({ key: name, cells: [name, ...figures] }));
  return (
    <Part title="Retention" note={found.note}>
      <Table label="Retention" head={["arm", ...found.head]} rows={rows} />
    </Part>
  );
}

/** What arms were trained on against what they were tested on; their own kind is bold. */
function Generalisation({ results }: { readonly results: StudyResults }) {
  const found = generalisationTables(results);
  if (found === null) return null;
  const tables = found.tables.map(({ rows, ...table }) => ({
    ...table,
    rows: rows.map(({ name, trainedOn, cells, retention }) => {
      const scores = cells.map(({ score, change, own }) => (
        <>
          {own ? <b>{score}</b> : score} {change !== null && <small>{change}</small>}
        </>
      ));
      return { name, figures: [trainedOn, ...scores, retention] };
    }),
  }));
  return (
    <Part title="Generalisation" note={found.note}>
      <ArmTables tables={tables} />
    </Part>
  );
}

/** Lengths of right and wrong answers, what a right one costs, false statements, accuracy by chain length. */
function Reasoning({ results }: { readonly results: StudyResults }) {
  const found = reasoningTables(results);
  if (found === null) return null;
  return (
    <Part title="Reasoning" note={found.note}>
      <ArmTables tables={found.tables} />
    </Part>
  );
}

/** A section with its title, and a note below what it shows. */
function Part({ title, note, children }: { readonly title: string; readonly note: string; readonly children: ComponentChildren }) {
  const id = title.toLowerCase();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
      <p class="muted">{note}</p>
    </section>
  );
}

interface ArmTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly { readonly name: string; readonly figures: readonly ComponentChildren[] }[];
}

/** Tables with a row for each arm. */
function ArmTables({ tables }: { readonly tables: readonly ArmTable[] }) {
  return tables.map(({ title, head, rows }) => (
    <Table
      key={title}
      label={title}
      caption
      head={["arm", ...head]}
      rows={rows.map(({ name, figures }) => ({ key: name, cells: [name, ...figures] }))}
    />
  ));
}

/** Strict accuracy, then every other measure that the study has of its arms. */
function outcomesOf({ arms, outcomes }: StudyResults): readonly StudyOutcome[] {
  const compared = arms.flatMap(({ name, difference }) => (difference === null ? [] : [{ arm: name, difference }]));
  return [{ measure: "accuracy", about: "strict accuracy", unit: "share", better: "higher", arms: compared }, ...(outcomes ?? [])];
}

interface OutcomeProps {
  readonly outcome: StudyOutcome;
  readonly results: StudyResults;
  /** Arms of the chosen dimension. */
  readonly shown: readonly string[];
}

/** Arms against the reference, whose value is the zero line; other baselines are dashed lines. */
function OutcomeForest({ outcome: { about, unit, better, arms }, results: { reference, baselines }, shown }: OutcomeProps) {
  const others = arms.filter(({ arm }) => baselines.includes(arm));
  const drawn = others.map(({ arm }) => arm).join(", ");
  return (
    <Forest
      label={`${about} less that of ${reference}, ${unit === "share" ? "points" : "tokens"}; small marks are seeds${drawn && `, dashed: ${drawn}`}`}
      rows={arms
        .filter(({ arm }) => shown.includes(arm))
        .map(({ arm, difference }) => ({
          ...{ key: arm, label: arm, interval: difference, note: `Holm ${pValue(difference.p_holm)}` },
          dots: difference.by_seed.map((one) => one.difference),
        }))}
      lines={others.map(({ difference }) => difference.estimate)}
      better={better}
      {...(unit === "share" ? {} : { number: (tokens) => percentPoints(tokens / 100) })}
    />
  );
}

interface CellsProps {
  readonly results: StudyResults;
  readonly runs: Readonly<Record<string, string>>;
  readonly arms: readonly StudyArm[];
}

/** Every run by arm and seed, with what is missing. */
function Cells({ results: { seeds }, runs, arms }: CellsProps) {
  const cell = (run: StudyArm["runs"][number] | undefined) => {
    if (run === undefined) return <span class="badge warn">✗ not run</span>;
    const { folder, status, accuracy, message } = run;
    const name = status !== "finished" ? `✗ ${status}` : accuracy === null ? "finished" : `${percent(accuracy)} %`;
    const id = runs[folder];
    const shown = status === "finished" ? name : <span class="badge bad">{name}</span>;
    return (
      <>
        {id === undefined ? shown : <To path={["runs", id]}>{shown}</To>} {message !== null && <small>{message}</small>}
      </>
    );
  };
  const missing = arms.flatMap(({ runs: own }) => seeds.filter((seed) => own.find((run) => run.seed === seed)?.status !== "finished"));
  return (
    <Table
      label={`Runs by arm and seed, ${missing.length === 0 ? "none" : missing.length} missing`}
      caption
      head={["arm", ...seeds.map((seed) => `seed ${seed}`)]}
      rows={arms.map(({ name, runs: own }) => ({
        key: name,
        cells: [name, ...seeds.map((seed) => cell(own.find((run) => run.seed === seed)))],
      }))}
    />
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
  return <Table label="Arms" caption head={head} rows={rows} />;
}

/** A row for each outcome of each arm. */
function csvOf(results: StudyResults): string {
  const cell = (value: unknown) => (typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : String(value ?? ""));
  const { seeds, arms } = results;
  const rows = outcomesOf(results).flatMap(({ measure, unit, arms: compared }) =>
    compared.map(({ arm, difference: { estimate, low, high, p, p_holm, n, subjects, by_seed } }) => [
      ...[measure, unit, arm, estimate, low, high, p, p_holm, n, subjects],
      ...seeds.map((seed) => by_seed.find((one) => one.seed === seed)?.difference),
    ]),
  );
  const accuracies = arms.map(({ name, accuracy, runs }) => [
    ...["accuracy itself", "share", name, accuracy?.estimate, accuracy?.low, accuracy?.high, "", "", accuracy?.n, accuracy?.subjects],
    ...seeds.map((seed) => runs.find((run) => run.seed === seed)?.accuracy),
  ]);
  const head = ["outcome", "unit", "arm", "difference", "low", "high", "p", "p_holm", "n", "subjects", ...seeds.map((s) => `seed_${s}`)];
  return [head, ...rows, ...accuracies].map((row) => row.map(cell).join(",")).join("\n");
}
