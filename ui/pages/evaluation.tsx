/** How a run's evaluations went: by stratum, what changed between two of them question by question, beside the baselines. */
import { FIGURES_NOTE, FIGURES_TITLE, figureRows } from "../../src/report/figure-rows.ts";
import type { Interval, RunStatistics } from "../../src/runs/statistics-records.ts";
import { type Verdict, verdictSentence } from "../../src/runs/verdict.ts";
import type { Line } from "../../src/ui/lines.ts";
import { address, go, hrefOf, setValues } from "../address.ts";
import { differenceText, intervalText, percent, pValue } from "../format.ts";
import { useKeys } from "../keys.ts";
import { Select, Table } from "../parts/controls.tsx";
import { Probes } from "../parts/probes.tsx";
import { Forest } from "../parts/small-charts.tsx";
import { Loaded, To } from "../parts/ways.tsx";
import { type OfRun, useAnswer } from "../use-data.ts";
import { FEW, type Item, Items } from "./evaluation-items.tsx";

export function EvaluationPage({ id, run }: OfRun) {
  return run.evaluations.length === 0 ? <p>This run has not been evaluated yet.</p> : <Evaluations id={id} run={run} />;
}

function Evaluations({ id, run }: Pick<OfRun, "id" | "run">) {
  const { values } = address.value;
  const all = run.evaluations;
  const last = all.length - 1;
  const ofStep = values["step"] === undefined ? -1 : all.findLastIndex(({ step }) => step === Number(values["step"]));
  const now = placeOf(values["n"], all.length) ?? (ofStep < 0 ? last : ofStep);
  const before = placeOf(values["from"], all.length) ?? (now > 0 ? 0 : null);
  const items = useItems(id, now);
  const earlier = useItems(id, before);
  const statistics = useAnswer<RunStatistics>(["runs", id, "statistics"]);
  const [own, other] = [all[now]!.step, before === null ? null : all[before]!.step];
  const pair = other === null || other === own ? null : ["compare", `${id}@${other}+${id}@${own}`];
  useKeys([{ key: "c", about: "compare the two evaluations", act: () => pair && go(hrefOf(pair)) }]);
  const options = all.map(({ step, stage, protocol }, i) => [i, `step ${step} (${stage}, ${protocol})`] as const);
  return (
    <>
      <div class="toolbar">
        <Select label="evaluation" value={now} options={options} on={(n) => setValues({ n, step: null })} />
        <Select
          label="against"
          value={before ?? ""}
          options={[...(before === null ? [["", "none"] as const] : []), ...options.filter(([i]) => i !== now)]}
          on={(from) => setValues({ from })}
        />
        {pair && <To path={pair}>compare them</To>}
      </div>
      <Overall summary={all[now]!.summary} />
      <Figures summary={all[now]!.summary} />
      <Loaded asked={statistics} show={(found) => <Changes statistics={found} />} />
      <Loaded asked={items} show={({ items }) => <Items run={id} items={items} earlier={earlier.value?.items ?? null} />} />
      <Probes id={id} folder={run.folder} />
    </>
  );
}

function placeOf(text: string | undefined, count: number): number | null {
  const place = Number(text);
  return text === undefined || text === "" || !Number.isInteger(place) || place < 0 || place >= count ? null : place;
}

function useItems(id: string, n: number | null) {
  return useAnswer<{ readonly items: readonly Item[] }>(n === null ? null : ["runs", id, "evals", n]);
}

/** Strict and lenient accuracy of each answer type, and every baseline. */
function Overall({ summary }: { readonly summary: Line }) {
  const subsets = Object.entries((summary["subsets"] ?? {}) as Readonly<Record<string, Line | undefined>>);
  const interval = (value: unknown) => {
    const found = value as Interval | undefined;
    return found?.low === undefined ? "–" : intervalText(found);
  };
  const baselines = Object.entries(
    (subsets.find(([name]) => name === "overall")?.[1]?.["baselines"] ?? {}) as Readonly<Record<string, Line>>,
  );
  const share = (rate: unknown) => (typeof rate === "number" ? `${percent(rate)} %` : "–");
  const ofSubset = ([name, subset]: (typeof subsets)[number]) => {
    const cells = [name, subset?.["n"] ?? "–", interval(subset?.["accuracy"]), interval(subset?.["lenient_accuracy"])];
    return { key: name, cells: [...cells.map(String), share(subset?.["parse_failure_rate"])] };
  };
  const ofBaseline = ([name, baseline]: (typeof baselines)[number]) => {
    const key = name.replaceAll("_", " ");
    return { key, cells: [key, share(baseline["accuracy"]), against(baseline)] };
  };
  const verdict = subsets.find(([name]) => name === "overall")?.[1]?.["verdict"] as Verdict | undefined;
  return (
    <>
      {verdict !== undefined && <p class={`verdict ${verdict.verdict}`}>This evaluation: {verdictSentence(verdict)}</p>}
      <Table
        label="Accuracy, 95 % intervals over subjects"
        caption
        head={["questions", "n", "strict", "lenient", "not parsed"]}
        rows={subsets.map(ofSubset)}
      />
      {baselines.length > 0 && (
        <Table
          label="The run against its baselines on these questions, strict accuracy"
          caption
          head={["baseline", "its accuracy", "verdict"]}
          rows={baselines.map(ofBaseline)}
        />
      )}
    </>
  );
}

/** Sensitivity and what else only some questions have, as the report has it. */
function Figures({ summary }: { readonly summary: Line }) {
  const found = figureRows(summary as Parameters<typeof figureRows>[0]);
  if (found.length === 0) return null;
  return (
    <details>
      <summary>{FIGURES_TITLE}</summary>
      <Table
        label={FIGURES_TITLE}
        head={["figure", "value, 95 % interval", "n"]}
        rows={found.map(({ name, value, n }) => ({ key: name, cells: [name, value, n] }))}
      />
      <p class="muted">{FIGURES_NOTE}</p>
    </details>
  );
}

/** What the run has over a baseline on the same questions. */
function against({ verdict, difference }: Line): string {
  const word = verdict === "better" ? "the run is better" : verdict === "worse" ? "the run is worse" : "not shown: interval includes 0";
  const found = difference as Interval | undefined;
  return found?.low === undefined ? word : `${word}, ${differenceText(found)}`;
}

/** What the stages changed, as `viva report` has it. */
function Changes({ statistics: { changes, strata } }: { readonly statistics: RunStatistics }) {
  if (changes.length === 0) return <p class="muted">Nothing to compare yet: the run was evaluated once.</p>;
  const rows = changes.map(({ from, to, change }) => ({
    key: `${from.step} ${to.step}`,
    label: `step ${from.step} (${from.stage}) to ${to.step} (${to.stage})`,
    interval: change.difference,
    note: `${change.won} won, ${change.lost} lost, ${pValue(change.p)}`,
  }));
  return (
    <>
      <Forest rows={rows} label="Change of strict accuracy between the first evaluation and the ends of stages, points" />
      {strata.map(({ name, rows: ofStratum }) => (
        <Forest
          key={name}
          label={`By ${name.replaceAll("_", " ")}, the last change`}
          rows={ofStratum.map(({ value, n, change }) => ({
            key: value,
            label: `${value} (n ${n}${n < FEW ? ", few" : ""})`,
            interval: change?.difference ?? null,
          }))}
        />
      ))}
    </>
  );
}
