/** What the rewards of a run are worth: their course, and how each agrees with people, and people with each other. */
import type { Agreement } from "../../src/evaluate/agreement.ts";
import type { calibrationOf } from "../../src/ui/exports.ts";
import { intervalText, short } from "../format.ts";
import { Chart } from "../parts/chart.tsx";
import { Table } from "../parts/controls.tsx";
import { Loaded, openStep, To } from "../parts/ways.tsx";
import { isBundle, urlOf } from "../source.ts";
import { type OfRun, useAnswer } from "../use-data.ts";

type Found = ReturnType<typeof calibrationOf>;

export function RewardsPage({ id, run }: OfRun) {
  const asked = useAnswer<Found>(["runs", id, "calibration"]);
  const { steps, values } = run.metrics;
  const means = Object.keys(values).flatMap((key) => /^reward\/(.+)\/mean$/.exec(key)?.slice(1) ?? []);
  const weightOf = (name: string) =>
    Object.entries(run.weights).flatMap(([kind, weights]) => (weights[name] === undefined ? [] : [`${short(weights[name])} in ${kind}`]));
  return (
    <>
      <Table
        label="Rewards of this run"
        caption
        head={["reward", "weight", "mean of the first step", "mean of the last step"]}
        rows={means.map((name) => {
          const own = values[`reward/${name}/mean`]!.filter((value) => value !== null);
          return { key: name, cells: [name, weightOf(name).join(", ") || "–", short(own[0]), short(own.at(-1))] };
        })}
      />
      {means.length > 0 && (
        <Chart
          title="Mean rewards by name"
          steps={steps}
          series={means.map((name) => ({ name, values: values[`reward/${name}/mean`]! }))}
          smoothing={0}
          onStep={(step) => openStep(id, step)}
        />
      )}
      <h2>Rewards against people</h2>
      <Loaded asked={asked} show={(found) => <Agreements run={id} found={found} />} />
    </>
  );
}

function Agreements({ run, found }: { readonly run: string; readonly found: Found }) {
  const { annotators, changed, rewards, between, within } = found;
  const judge = <To path={["runs", run, "annotate"]}>Judge completions blind</To>;
  if (annotators.length === 0) return <p>Nobody has judged completions of this run yet. {!isBundle && judge}</p>;
  return (
    <>
      <p>
        {annotators.map(({ by, marks, repeats }) => `${by}: ${marks} marks${repeats > 0 ? `, ${repeats} of them repeats` : ""}`).join("; ")}
        {changed > 0 && `; ${changed} left out because the text has changed since`}
      </p>
      <Table
        label="Each reward, 0.5 and more counted as yes, against people's right and wrong; 95 % intervals over subjects"
        caption
        head={["reward", "n", "people's yes", "agreement", "kappa", "sensitivity", "specificity"]}
        rows={rewards.map((one) => ({ key: one.name, cells: [one.name, ...cells(one)] }))}
      />
      {rewards.map(({ name, curve }) => (
        <details key={name}>
          <summary>{name}: other thresholds</summary>
          <Table
            label={`Thresholds of ${name}`}
            head={["threshold", "sensitivity", "specificity"]}
            rows={curve.map(({ threshold, sensitivity, specificity }) => ({
              key: threshold,
              cells: [threshold, share(sensitivity), share(specificity)],
            }))}
          />
        </details>
      ))}
      <Table
        label="People against each other, and against themselves on repeats"
        caption
        head={["who", "n", "first's yes", "agreement", "kappa", "sensitivity", "specificity"]}
        rows={[
          ...between.map((one) => ({ key: `${one.a} ${one.b}`, cells: [`${one.a} and ${one.b}`, ...cells(one)] })),
          { key: "", cells: ["repeats", ...cells(within)] },
        ]}
      />
      {!isBundle && <Exports run={run} />}
    </>
  );
}

/** The files that marks become. */
function Exports({ run }: { readonly run: string }) {
  return (
    <>
      <h2>Exports</h2>
      <ul>
        {Object.entries(about).map(([kind, text]) => (
          <li key={kind}>
            <a href={urlOf(["runs", run, "export", kind])} download>
              {kind}.jsonl
            </a>{" "}
            <span class="muted">{text}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

const about = {
  calibration: "people's verdicts on the reasoning, for viva probe --calibration",
  pairs: "preferred and rejected completions, for a stage of kind dpo",
  rationales: "reasoning that people call sound, for supervised training",
} as const;

/** Kappa is no share: it is written from −1 to 1. */
function cells({ n, baseRate, agreement, kappa, sensitivity, specificity }: Agreement): readonly (string | number)[] {
  const text = (interval: Agreement["kappa"]) => (interval === null ? "–" : intervalText(interval));
  const bare = kappa === null ? "–" : `${kappa.estimate.toFixed(2)} [${kappa.low.toFixed(2)}, ${kappa.high.toFixed(2)}]`;
  return [n, text(baseRate), text(agreement), bare, text(sensitivity), text(specificity)];
}

function share(value: number | null): string {
  return value === null ? "–" : `${Math.round(100 * value)} %`;
}
