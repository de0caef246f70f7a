/** Evaluations of the same questions against the first: what is decided and what is not, and the questions behind it. */
import type { ComparedCase, ShownComparison } from "../../src/ui/comparison.ts";
import type { RunRow } from "../../src/ui/run-row.ts";
import { address, setValues } from "../address.ts";
import { differenceText, intervalText, percent, pValue } from "../format.ts";
import { DiffText } from "../parts/marked-text.tsx";
import { Forest } from "../parts/small-charts.tsx";
import { Loaded, To, useTitle } from "../parts/ways.tsx";
import { api, read } from "../source.ts";
import { useData } from "../use-data.ts";

export function ComparePage({ names }: { readonly names: string }) {
  useTitle("Compare");
  const asked = useData(
    `compare ${names}`,
    async () => (await read(api.compare[":names"].$get({ param: { names } }))) as ShownComparison,
  );
  const rows = useData("runs", async () => (await read(api.runs.$get())).runs as readonly RunRow[]);
  const paths = names.split("+").map((name) => {
    const id = name.replace(/@\d+$/, "");
    return { id, label: name.replace(id, rows.value?.find((row) => row.id === id)?.path ?? id) };
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
      <Loaded asked={asked} show={(found) => <Comparison {...found} />} />
    </>
  );
}

const sentences = { better: "improved", worse: "worse", open: "not decided: interval includes 0" } as const;

function Comparison({ comparison, problem, unfair, cases }: ShownComparison) {
  if (comparison === null) {
    return (
      <p class="notice" role="alert">
        No comparison: {problem}
      </p>
    );
  }
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
        overall.arms.map(({ arm: name, verdict, difference, detectable_difference: least }) => (
          <p key={name} class={`verdict ${verdict}`}>
            {name} against {reference}: {sentences[verdict]}{" "}
            <span class="muted">
              ({differenceText(difference)} points, n {overall.n} questions about {overall.subjects} subjects
              {verdict === "open" &&
                least !== null &&
                `; a true difference of ${percent(least)} points would be found in four of five trials`}
              )
            </span>
          </p>
        ))}
      <p class="muted">
        Protocol {protocol}. Paired by question; intervals by bootstrap over subjects; p by McNemar's exact test,
        corrected for {arms.length} {arms.length === 1 ? "arm" : "arms"} after Holm.
      </p>
      <div class="wide-scroll" tabIndex={0} role="region" aria-label="Effects">
        <table>
          <thead>
            <tr>
              <th scope="col">arm</th>
              <th scope="col">accuracy</th>
              <th scope="col">difference</th>
              <th scope="col">won</th>
              <th scope="col">lost</th>
              <th scope="col">p</th>
              <th scope="col">Holm</th>
              {fair && <th scope="col">verdict</th>}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">{reference}</th>
              <td class="number">{intervalText(overall.reference_accuracy)}</td>
              <td colSpan={fair ? 6 : 5} class="muted">
                reference
              </td>
            </tr>
            {overall.arms.map((one) => (
              <tr key={one.arm}>
                <th scope="row">{one.arm}</th>
                <td class="number">{intervalText(one.accuracy)}</td>
                <td class="number">{differenceText(one.difference)}</td>
                <td class="number">{one.won}</td>
                <td class="number">{one.lost}</td>
                <td class="number">{pValue(one.mcnemar_p)}</td>
                <td class="number">{pValue(one.holm_p)}</td>
                {fair && <td>{sentences[one.verdict]}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {arms.length > 1 && (
        <label>
          show{" "}
          <select value={arm} onChange={(event) => setValues({ arm: event.currentTarget.value, cell: null })}>
            {arms.map((name, i) => (
              <option key={name} value={i}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <Forest
        label={`${arms[arm]} less ${reference}, strict accuracy in points`}
        rows={subsets.map(({ stratum, value, n, arms: own }) => ({
          key: `${stratum} ${value}`,
          label:
            stratum === "overall"
              ? `all (n ${n})`
              : `${stratum.replaceAll("_", " ")} ${value} (n ${n}${n < 20 ? ", few" : ""})`,
          interval: own[arm]!.difference,
        }))}
      />
      <Matrix cases={cases} arm={arm} reference={reference} name={arms[arm]!} />
    </>
  );
}

/** Cells by reference right, arm right. */
const cells = ["01", "10", "11", "00"] as const;
const cellNames = { "11": "both right", "00": "both wrong", "01": "won by the arm", "10": "lost by the arm" } as const;
const MOST_CASES = 100;

function Matrix({
  cases,
  arm,
  reference,
  name,
}: {
  readonly cases: readonly ComparedCase[];
  readonly arm: number;
  readonly reference: string;
  readonly name: string;
}) {
  const { values } = address.value;
  const cellOf = ({ answers }: ComparedCase) => `${answers[0]!.strict}${answers[arm + 1]!.strict}`;
  const chosen = cells.find((cell) => cell === values["cell"]) ?? "01";
  const shown = cases.filter((one) => cellOf(one) === chosen);
  const button = (cell: (typeof cells)[number]) => (
    <button type="button" aria-pressed={cell === chosen} onClick={() => setValues({ cell })}>
      {cellNames[cell]}
      <br />
      <b>{cases.filter((one) => cellOf(one) === cell).length}</b>
    </button>
  );
  return (
    <>
      <h2>Right and wrong</h2>
      <table class="matrix">
        <thead>
          <tr>
            <th scope="col" />
            <th scope="col">{name} right</th>
            <th scope="col">{name} wrong</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">{reference} right</th>
            <td>{button("11")}</td>
            <td>{button("10")}</td>
          </tr>
          <tr>
            <th scope="row">{reference} wrong</th>
            <td>{button("01")}</td>
            <td>{button("00")}</td>
          </tr>
        </tbody>
      </table>
      <h2>
        {cellNames[chosen]}: {shown.length}
      </h2>
      <div class="cases">
        {shown.slice(0, MOST_CASES).map(({ example_id, question, answer, answers }) => (
          <article class="panel" key={example_id}>
            <h3>{question}</h3>
            <p>
              Reference answer: <b>{answer}</b> <span class="muted">{example_id}</span>
            </p>
            <div class="pair-texts">
              {[0, arm + 1].map((i) => (
                <div key={i}>
                  <h3>
                    {i === 0 ? reference : name}: {answers[i]!.strict === 1 ? "✓ right" : "✗ wrong"}
                    {answers[i]!.parse_failure && ", not parsed"}
                  </h3>
                  <p>
                    {i === 0 ? (
                      answers[0]!.prediction
                    ) : (
                      <DiffText text={answers[i]!.prediction} against={answers[0]!.prediction} />
                    )}
                  </p>
                </div>
              ))}
            </div>
          </article>
        ))}
        {shown.length > MOST_CASES && <p class="muted">{shown.length - MOST_CASES} more.</p>}
      </div>
    </>
  );
}
