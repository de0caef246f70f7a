/** How rewards agree with people, and people with each other; and the files that marks become. */

import type { Agreement } from "../../src/evaluate/agreement.ts";
import type { calibrationOf } from "../../src/ui/exports.ts";
import { intervalText } from "../format.ts";
import { api, read } from "../source.ts";
import { useData } from "../use-data.ts";
import { Table } from "./controls.tsx";
import { Loaded, To, useTitle } from "./ways.tsx";

type Found = ReturnType<typeof calibrationOf>;

export function Calibration({ run }: { readonly run: string }) {
  useTitle("Agreement with people");
  const asked = useData(
    `${run} calibration`,
    async () => (await read(api.runs[":run"].calibration.$get({ param: { run } }))) as unknown as Found,
  );
  return (
    <>
      <h1>Rewards against people</h1>
      <p>
        <To path={["runs", run]}>The run</To>, <To path={["runs", run, "annotate"]}>annotate</To>
      </p>
      <Loaded asked={asked} show={(found) => <Agreements run={run} found={found} />} />
    </>
  );
}

function Agreements({ run, found }: { readonly run: string; readonly found: Found }) {
  const { annotators, changed, rewards, between, within } = found;
  if (annotators.length === 0) return <p>No marks yet.</p>;
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
      <h2>Exports</h2>
      <ul>
        {(["calibration", "pairs", "rationales"] as const).map((kind) => (
          <li key={kind}>
            <a href={`/api/runs/${run}/export/${kind}`} download>
              {kind}.jsonl
            </a>{" "}
            <span class="muted">{about[kind]}</span>
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
