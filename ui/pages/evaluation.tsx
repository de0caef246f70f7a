/** How a run's evaluations went: by stratum, what changed between two of them question by question, beside the baselines. */
import { useMemo } from "preact/hooks";
import type { Interval, RunStatistics } from "../../src/runs/statistics-records.ts";
import type { Line } from "../../src/ui/run-view.ts";
import { address, setValues } from "../address.ts";
import { intervalText, percent, pValue } from "../format.ts";
import { Forest } from "../parts/small-charts.tsx";
import { Loaded, RunTabs } from "../parts/ways.tsx";
import { api, read } from "../source.ts";
import { type RunDetail, useData, useRun } from "../use-data.ts";

/** A question of an evaluation, as far as it is shown. */
interface Item {
  readonly example_id: string;
  readonly question: string;
  readonly answer: string;
  readonly answer_type: string;
  readonly strata: Readonly<Record<string, string>>;
  readonly prediction: string;
  readonly parsed_answer: { readonly text: string } | null;
  readonly strict: 0 | 1;
  readonly lenient: 0 | 1;
  readonly parse_failure: boolean;
}

/** Fewer questions than this make no figure to rely on. */
const FEW = 20;

export function EvaluationPage({ run: id }: { readonly run: string }) {
  const run = useRun(id);
  return (
    <>
      <RunTabs run={id} page="evaluation" name={run.value?.row.path ?? id} />
      <Loaded
        asked={run}
        show={(detail) =>
          detail.evaluations.length === 0 ? (
            <p>This run has not been evaluated yet.</p>
          ) : (
            <Evaluations id={id} run={detail} />
          )
        }
      />
    </>
  );
}

function Evaluations({ id, run }: { readonly id: string; readonly run: RunDetail }) {
  const { values } = address.value;
  const all = run.evaluations;
  const last = all.length - 1;
  const ofStep = values["step"] === undefined ? -1 : all.findLastIndex(({ step }) => step === Number(values["step"]));
  const now = placeOf(values["n"], all.length) ?? (ofStep < 0 ? last : ofStep);
  const before = placeOf(values["from"], all.length) ?? (now > 0 ? 0 : null);
  const items = useItems(id, now);
  const earlier = useItems(id, before);
  const statistics = useData(
    `${id} statistics ${all.length}`,
    async () => (await read(api.runs[":run"].statistics.$get({ param: { run: id } }))) as RunStatistics,
  );
  const option = (i: number) => (
    <option key={i} value={i}>
      step {all[i]!.step} ({all[i]!.stage}, {all[i]!.protocol})
    </option>
  );
  return (
    <>
      <div class="toolbar">
        <label>
          evaluation{" "}
          <select value={now} onChange={(event) => setValues({ n: event.currentTarget.value, step: null })}>
            {all.map((_, i) => option(i))}
          </select>
        </label>
        <label>
          against{" "}
          <select value={before ?? ""} onChange={(event) => setValues({ from: event.currentTarget.value })}>
            {before === null && <option value="">none</option>}
            {all.map((_, i) => i !== now && option(i))}
          </select>
        </label>
      </div>
      <Overall summary={all[now]!.summary} />
      <Loaded asked={statistics} show={(found) => <Changes statistics={found} />} />
      <Loaded asked={items} show={(own) => own !== null && <Items items={own} earlier={earlier.value} />} />
    </>
  );
}

function placeOf(text: string | undefined, count: number): number | null {
  const place = Number(text);
  return text === undefined || text === "" || !Number.isInteger(place) || place < 0 || place >= count ? null : place;
}

function useItems(id: string, n: number | null) {
  return useData(`${id} items ${n}`, async () =>
    n === null
      ? null
      : ((await read(api.runs[":run"].evals[":n"].$get({ param: { run: id, n: String(n) } })))
          .items as unknown as readonly Item[]),
  );
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
  return (
    <div class="wide-scroll" tabIndex={0} role="region" aria-label="Accuracy by answer type">
      <table>
        <caption>Accuracy, 95 % intervals over subjects</caption>
        <thead>
          <tr>
            <th scope="col">questions</th>
            <th scope="col">n</th>
            <th scope="col">strict</th>
            <th scope="col">lenient</th>
            <th scope="col">not parsed</th>
          </tr>
        </thead>
        <tbody>
          {subsets.map(([name, subset]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{String(subset?.["n"] ?? "–")}</td>
              <td class="number">{interval(subset?.["accuracy"])}</td>
              <td class="number">{interval(subset?.["lenient_accuracy"])}</td>
              <td class="number">
                {typeof subset?.["parse_failure_rate"] === "number"
                  ? `${percent(subset["parse_failure_rate"])} %`
                  : "–"}
              </td>
            </tr>
          ))}
          {baselines.map(([name, baseline]) => (
            <tr key={name}>
              <th scope="row">baseline: {name.replaceAll("_", " ")}</th>
              <td />
              <td class="number">
                {typeof baseline["accuracy"] === "number" ? `${percent(baseline["accuracy"])} %` : "–"}
              </td>
              <td colSpan={2} class="muted">
                {verdictWord(baseline["verdict"])}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function verdictWord(verdict: unknown): string {
  if (verdict === "better") return "the run is better";
  return verdict === "worse" ? "the run is worse" : "not decided: interval includes 0";
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
      <Forest
        rows={rows}
        label="Change of strict accuracy between the first evaluation and the ends of stages, points"
      />
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

const outcomes = {
  fixed: (now: Item, then: Item | undefined) => then?.strict === 0 && now.strict === 1,
  broken: (now: Item, then: Item | undefined) => then?.strict === 1 && now.strict === 0,
  "still wrong": (now: Item, then: Item | undefined) => then?.strict === 0 && now.strict === 0,
  "still right": (now: Item, then: Item | undefined) => then?.strict === 1 && now.strict === 1,
  "not parsed": (now: Item) => now.parse_failure,
  "lenient alone": (now: Item) => now.strict === 0 && now.lenient === 1,
} as const;
type Outcome = keyof typeof outcomes;

function Items({ items, earlier }: { readonly items: readonly Item[]; readonly earlier: readonly Item[] | null }) {
  const { values } = address.value;
  const before = useMemo(() => new Map((earlier ?? []).map((item) => [item.example_id, item])), [earlier]);
  const names = useMemo(() => strataOf(items), [items]);
  const rowName = values["rows"] ?? names[0] ?? "answer_type";
  const columnName = values["columns"] ?? names[1] ?? "answer_type";
  const cell = values["cell"]?.split("|") ?? null;
  const counted = Object.keys(outcomes) as Outcome[];
  const chosen = counted.find((name) => name === values["show"]) ?? "broken";
  const inCell = (item: Item) =>
    cell === null || (stratumOf(item, rowName) === cell[0] && stratumOf(item, columnName) === cell[1]);
  const shown = items.filter((item) => inCell(item) && outcomes[chosen](item, before.get(item.example_id)));
  return (
    <>
      <HeatTable {...{ items, rowName, columnName, cell, names }} />
      <Confusion items={items} />
      <h2>Questions</h2>
      <div class="choices">
        {counted.map((name) => (
          <button type="button" key={name} aria-pressed={name === chosen} onClick={() => setValues({ show: name })}>
            {name} {items.filter((item) => inCell(item) && outcomes[name](item, before.get(item.example_id))).length}
          </button>
        ))}
        {cell !== null && (
          <button type="button" onClick={() => setValues({ cell: null })}>
            all strata
          </button>
        )}
      </div>
      <CaseList items={shown} before={before} />
    </>
  );
}

const MOST_CASES = 100;

function CaseList({ items, before }: { readonly items: readonly Item[]; readonly before: ReadonlyMap<string, Item> }) {
  return (
    <div class="cases">
      {items.slice(0, MOST_CASES).map((item) => (
        <article class="panel" key={item.example_id}>
          <h3>{item.question}</h3>
          <p>
            Reference: <b>{item.answer}</b> <span class="muted">{item.example_id}</span>
          </p>
          <div class="pair-texts">
            {[before.get(item.example_id), item].map(
              (one, i) =>
                one !== undefined && (
                  <div key={i}>
                    <h3>
                      {i === 0 ? "before" : "now"}: {one.strict === 1 ? "✓ right" : "✗ wrong"}
                      {one.parse_failure && ", not parsed"}
                    </h3>
                    <p>{one.prediction.slice(0, 3000)}</p>
                  </div>
                ),
            )}
          </div>
        </article>
      ))}
      {items.length === 0 && <p class="muted">No question is of this kind.</p>}
      {items.length > MOST_CASES && (
        <p class="muted">{items.length - MOST_CASES} more; choose a cell of the table to see fewer.</p>
      )}
    </div>
  );
}

interface HeatTableProps {
  readonly items: readonly Item[];
  readonly rowName: string;
  readonly columnName: string;
  readonly cell: readonly string[] | null;
  readonly names: readonly string[];
}

/** Strict accuracy of two strata at a time; a press shows the questions of a cell. */
function HeatTable({ items, rowName, columnName, cell, names }: HeatTableProps) {
  const rows = [...new Set(items.map((item) => stratumOf(item, rowName)))].sort();
  const columns = [...new Set(items.map((item) => stratumOf(item, columnName)))].sort();
  const choose = (name: "rows" | "columns", value: string) => (
    <label>
      {name}{" "}
      <select value={value} onChange={(event) => setValues({ [name]: event.currentTarget.value, cell: null })}>
        {names.map((one) => (
          <option key={one} value={one}>
            {one.replaceAll("_", " ")}
          </option>
        ))}
      </select>
    </label>
  );
  if (names.length === 0) return null;
  return (
    <>
      <h2>
        Strict accuracy by {rowName.replaceAll("_", " ")} and {columnName.replaceAll("_", " ")}
      </h2>
      <div class="toolbar">
        {choose("rows", rowName)} {choose("columns", columnName)}
      </div>
      <div class="wide-scroll" tabIndex={0} role="region" aria-label="Accuracy by strata">
        <table class="heat">
          <thead>
            <tr>
              <th scope="col" />
              {columns.map((column) => (
                <th scope="col" key={column}>
                  {column || "none"}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row}>
                <th scope="row">{row || "none"}</th>
                {columns.map((column) => {
                  const own = items.filter(
                    (item) => stratumOf(item, rowName) === row && stratumOf(item, columnName) === column,
                  );
                  if (own.length === 0) return <td key={column} />;
                  const share = own.filter(({ strict }) => strict === 1).length / own.length;
                  const isChosen = cell?.[0] === row && cell[1] === column;
                  return (
                    <td
                      key={column}
                      class={own.length < FEW ? "few" : ""}
                      style={
                        own.length < FEW
                          ? {}
                          : { boxShadow: `inset ${Math.round(60 * share)}px 0 0 -0px var(--good-bg)` }
                      }
                    >
                      <button
                        type="button"
                        class="quiet"
                        aria-pressed={isChosen}
                        onClick={() => setValues({ cell: isChosen ? null : `${row}|${column}` })}
                      >
                        {percent(share)} % <small>n {own.length}</small>
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** Reference against answer, of questions with a small fixed set of answers. */
function Confusion({ items }: { readonly items: readonly Item[] }) {
  const own = items.filter(({ answer_type }) => answer_type === "closed");
  const references = [...new Set(own.map(({ answer }) => answer.toLowerCase()))].sort();
  if (references.length < 2 || references.length > 8) return null;
  const said = (item: Item) => {
    const answer = item.parsed_answer?.text.trim().toLowerCase();
    return answer === undefined ? "not parsed" : references.includes(answer) ? answer : "other";
  };
  const columns = [...references, "other", "not parsed"];
  return (
    <table class="heat">
      <caption>Closed questions: reference (rows) against the strictly parsed answer (columns)</caption>
      <thead>
        <tr>
          <th scope="col" />
          {columns.map((column) => (
            <th scope="col" key={column}>
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {references.map((reference) => (
          <tr key={reference}>
            <th scope="row">{reference}</th>
            {columns.map((column) => (
              <td key={column} class="number">
                {own.filter((item) => item.answer.toLowerCase() === reference && said(item) === column).length}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function stratumOf(item: Item, name: string): string {
  return name === "answer_type" ? item.answer_type : (item.strata?.[name] ?? "");
}

/** Strata with 2 to 16 values. */
function strataOf(items: readonly Item[]): readonly string[] {
  const keys = [
    "question_type",
    "content_type",
    "modality",
    "organ",
    "answer_type",
    ...items.flatMap(({ strata }) => Object.keys(strata ?? {})),
  ];
  return [...new Set(keys)].filter((key) => {
    const { size } = new Set(items.map((item) => stratumOf(item, key)));
    return size > 1 && size <= 16;
  });
}
