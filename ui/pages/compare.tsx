/** Evaluations of the same questions against the first: what is decided and what is not, and the questions behind it. */
import type { ComponentChildren } from "preact";
import { verdictSentence } from "../../src/runs/verdict.ts";
import type { CaseAnswer, ComparedCase, ShownComparison } from "../../src/ui/comparison.ts";
import type { RunRow } from "../../src/ui/run-row.ts";
import { address, setValues } from "../address.ts";
import { differenceText, intervalText, pValue } from "../format.ts";
import { CasePanel } from "../parts/case-panel.tsx";
import { Button, Select, Table } from "../parts/controls.tsx";
import { DiffText } from "../parts/marked-text.tsx";
import { Forest } from "../parts/small-charts.tsx";
import { Loaded, Problem, To, useTitle } from "../parts/ways.tsx";
import { useAnswer } from "../use-data.ts";

export function ComparePage({ names }: { readonly names: string }) {
  useTitle("Compare");
  const asked = useAnswer<ShownComparison>(["compare", names]);
  const rows = useAnswer<{ readonly runs: readonly RunRow[] }>(["runs"]);
  const paths = names.split("+").map((name) => {
    const id = name.replace(/@\d+$/, "");
    return { id, label: name.replace(id, rows.value?.runs.find((row) => row.id === id)?.path ?? id) };
  });
  return (
    <>
      <h1>Compare</h1>
      <p>
        {paths.map(({ id, label }, i) => (
          <span key={`${id} ${i}`}>
            {i === 0 ? "Reference: " : i === 1 ? "; against it: " : ", "}
            <To path={["runs", id]}>{label}</To>
          </span>
        ))}
      </p>
      <Loaded asked={asked} show={(found) => <Comparison {...found} run={paths[0]!.id} />} />
    </>
  );
}

function Comparison({ comparison, problem, unfair, cases, run }: ShownComparison & { readonly run: string }) {
  if (comparison === null) return <Problem text={`No comparison: ${problem}`} />;
  const { arms, reference, subsets, protocol } = comparison;
  const overall = subsets[0]!;
  const fair = unfair.length === 0;
  const arm = Math.min(arms.length - 1, Number(address.value.values["arm"] ?? 0) || 0);
  return (
    <>
      {!fair && (
        <div class="notice" role="alert">
          <b>No verdict: these evaluations were not made under the same conditions.</b>
          <ul>
            {unfair.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </div>
      )}
      {fair &&
        overall.arms.map(({ arm: name, verdict_against_all: verdict }) => (
          <p key={name} class={`verdict ${verdict.verdict}`}>
            {name}: {verdictSentence(verdict)}
          </p>
        ))}
      <p class="muted">
        Protocol {protocol}, n {overall.n} questions about {overall.subjects} subjects. Paired by question; intervals by bootstrap over
        subjects; p by McNemar's exact test, corrected for {arms.length} {arms.length === 1 ? "arm" : "arms"} after Holm.
      </p>
      <Table
        label="Effects"
        head={["arm", "accuracy", "difference", "won", "lost", "p", "Holm", ...(fair ? ["verdict"] : [])]}
        rows={[
          {
            key: "",
            cells: [reference, intervalText(overall.reference_accuracy), "reference", "", "", "", "", ...(fair ? [""] : [])],
          },
          ...overall.arms.map(({ arm: name, accuracy, difference, won, lost, mcnemar_p, holm_p, verdict_against_all: { verdict } }) => {
            const cells = [name, intervalText(accuracy), differenceText(difference), won, lost, pValue(mcnemar_p), pValue(holm_p)];
            return { key: name, cells: [...cells, ...(fair ? [verdict.replace("_", " ")] : [])] };
          }),
        ]}
      />
      {arms.length > 1 && (
        <Select
          label="show"
          value={arm}
          options={arms.map((name, i) => [i, name] as const)}
          on={(to) => setValues({ arm: to, cell: null })}
        />
      )}
      <Forest
        label={`${arms[arm]} less ${reference}, strict accuracy in points`}
        rows={subsets.map(({ stratum, value, n, arms: own }) => ({
          key: `${stratum} ${value}`,
          label: stratum === "overall" ? `all (n ${n})` : `${stratum.replaceAll("_", " ")} ${value} (n ${n}${n < 20 ? ", few" : ""})`,
          interval: own[arm]!.difference,
        }))}
      />
      <Matrix {...{ run, cases, arm, reference }} name={arms[arm]!} />
    </>
  );
}

/** Cells by reference right, arm right. */
const cells = ["01", "10", "11", "00"] as const;
const cellNames = { "11": "both right", "00": "both wrong", "01": "won by the arm", "10": "lost by the arm" } as const;
const MOST_CASES = 100;

interface MatrixProps {
  readonly run: string;
  readonly cases: readonly ComparedCase[];
  readonly arm: number;
  readonly reference: string;
  readonly name: string;
}

function Matrix({ run, cases, arm, reference, name }: MatrixProps) {
  const { values } = address.value;
  const cellOf = ({ answers }: ComparedCase) => `${answers[0]!.strict}${answers[arm + 1]!.strict}`;
  const chosen = cells.find((cell) => cell === values["cell"]) ?? "01";
  const shown = cases.filter((one) => cellOf(one) === chosen);
  const button = (cell: (typeof cells)[number]) => (
    <Button pressed={cell === chosen} on={() => setValues({ cell })}>
      {cellNames[cell]}
      <br />
      <b>{cases.filter((one) => cellOf(one) === cell).length}</b>
    </Button>
  );
  return (
    <>
      <h2>Right and wrong</h2>
      <Table
        class="matrix"
        label="Questions by outcome"
        head={["", `${name} right`, `${name} wrong`]}
        rows={[
          { key: 1, cells: [`${reference} right`, button("11"), button("10")] },
          { key: 0, cells: [`${reference} wrong`, button("01"), button("00")] },
        ]}
      />
      <h2>
        {cellNames[chosen]}: {shown.length}
      </h2>
      <div class="cases">
        {shown.slice(0, MOST_CASES).map(({ answers, ...one }) => {
          const [theirs, own] = [answers[0]!, answers[arm + 1]!];
          const shownAnswer = (label: string, { strict, parse_failure }: CaseAnswer, text: ComponentChildren) => {
            return { name: label, right: strict === 1, unparsed: parse_failure, text };
          };
          const both = [
            shownAnswer(reference, theirs, theirs.prediction),
            shownAnswer(name, own, <DiffText text={own.prediction} against={theirs.prediction} />),
          ];
          return <CasePanel key={one.example_id} run={run} {...one} answers={both} />;
        })}
        {shown.length > MOST_CASES && <p class="muted">{shown.length - MOST_CASES} more.</p>}
      </div>
    </>
  );
}
