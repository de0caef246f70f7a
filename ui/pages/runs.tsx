/** All runs: where each stands, its last and best evaluation, its alarms, and what its recipe has other than a pinned one's. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { RowAccuracy, RunRow } from "../../src/ui/run-row.ts";
import { address, go, hrefOf, setValues } from "../address.ts";
import { ago, duration, percent } from "../format.ts";
import { useKeys } from "../keys.ts";
import { Button, Check, commas, useRowsInView } from "../parts/controls.tsx";
import { Sparkline } from "../parts/small-charts.tsx";
import { Loaded, Status, To, useTitle } from "../parts/ways.tsx";
import { isBundle } from "../source.ts";
import { useAnswer } from "../use-data.ts";
import { matching, type Recipes } from "./run-filter.ts";

interface RunList {
  readonly runs: readonly RunRow[];
  readonly studies: readonly { readonly id: string; readonly path: string }[];
  readonly notices: readonly string[];
}

const REFRESH_MS = 5000;
/** As the style sheet has it. */
const ROW_HEIGHT = innerWidth <= 520 ? 96 : 46;

export function RunsPage() {
  useTitle("Runs");
  const asked = useAnswer<RunList>(["runs"]);
  useEffect(() => {
    if (isBundle) return;
    const timer = setInterval(() => document.hidden || asked.again(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      <h1>Runs</h1>
      <Loaded asked={asked} show={(list) => <RunTable {...list} />} />
    </>
  );
}

function RunTable({ runs, studies, notices }: RunList) {
  const { q = "", pin = "", with: marked = "", by = "" } = address.value.values;
  const search = useRef<HTMLInputElement>(null);
  const wantsRecipes = pin !== "" || /[<>=]|\w:/.test(q);
  const recipes = useAnswer<Recipes>(wantsRecipes ? ["recipes"] : null);
  const sorted = useMemo(() => [...runs].sort((a, b) => b.heartbeat - a.heartbeat), [runs]);
  const pathOf = useMemo(() => new Map(studies.map(({ id, path }) => [id, path])), [studies]);
  const shown = useMemo(() => {
    const found = matching(sorted, q, recipes.value ?? {}, pathOf);
    return by === "" ? found : [...found].sort((a, b) => compareStudies(a, b, pathOf));
  }, [sorted, q, recipes.value, by, pathOf]);
  const entries = useMemo(() => (by === "" ? shown : grouped(shown, pathOf)), [shown, by, pathOf]);
  const chosen = marked === "" ? [] : marked.split("+");
  const [row, setRow] = useState(-1);
  const move = (by: number) => {
    const next = Math.min(shown.length - 1, Math.max(0, row + by));
    setRow(next);
    document.querySelector<HTMLElement>(`[data-run="${shown[next]?.id}"] a`)?.focus();
  };
  useKeys([
    { key: "/", about: "search", act: () => search.current?.focus() },
    { key: "j", about: "next run", act: () => move(1) },
    { key: "k", about: "previous run", act: () => move(-1) },
    {
      key: "c",
      about: "compare the marked runs",
      act: () => chosen.length > 1 && go(hrefOf(["compare", chosen.join("+")])),
    },
  ]);
  const mark = (id: string) => {
    const next = chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id];
    setValues({ with: next.join("+") });
  };
  return (
    <>
      {notices.map((notice) => (
        <p class="notice" key={notice}>
          {notice}
        </p>
      ))}
      {studies.length > 0 && (
        <p>
          Studies:{" "}
          {commas(
            studies.map(({ id, path }) => (
              <To key={id} path={["studies", id]}>
                {path}
              </To>
            )),
          )}
        </p>
      )}
      <div class="toolbar">
        <label>
          Filter{" "}
          <input
            ref={search}
            type="search"
            value={q}
            placeholder="learning_rate<1e-4 data:slake alarm:any"
            onInput={(event) => setValues({ q: event.currentTarget.value })}
          />
        </label>
        {studies.length > 0 && <Check label="by study" checked={by !== ""} on={(checked) => setValues({ by: checked ? "study" : null })} />}
        <span class="muted" role="status">
          {shown.length === runs.length ? `${runs.length} runs` : `${shown.length} of ${runs.length} runs`}
        </span>
        <span class="space" />
        {chosen.length > 1 ? (
          <To path={["compare", chosen.join("+")]} class="button">
            Compare {chosen.length} runs
          </To>
        ) : (
          <span class="muted">mark two runs to compare them</span>
        )}
      </div>
      {runs.length === 0 ? (
        <p>There is no run in the opened folders yet. viva train and viva demo make one; this list looks again every few seconds.</p>
      ) : (
        <Rows {...{ entries, pathOf, pin, chosen, mark, recipes: recipes.value ?? {} }} />
      )}
    </>
  );
}

/** A study's name above its runs. */
interface Heading {
  readonly heading: string;
  readonly study: string | null;
  readonly runs: number;
}

/** Studies by name, then runs of none; within a study as they stand. */
function compareStudies(a: RunRow, b: RunRow, pathOf: ReadonlyMap<string, string>): number {
  const [own, other] = [a, b].map(({ study }) => (study === null ? "\uffff" : (pathOf.get(study) ?? study)));
  return own! < other! ? -1 : own! > other! ? 1 : 0;
}

function grouped(runs: readonly RunRow[], pathOf: ReadonlyMap<string, string>): readonly (RunRow | Heading)[] {
  return runs.flatMap((run, i): readonly (RunRow | Heading)[] => {
    const { study } = run;
    if (i > 0 && runs[i - 1]!.study === study) return [run];
    const heading = study === null ? "of no study" : (pathOf.get(study) ?? study);
    return [{ heading, study, runs: runs.filter((one) => one.study === study).length }, run];
  });
}

interface RowsProps {
  readonly entries: readonly (RunRow | Heading)[];
  /** Of studies by id: below its heading a run is named within its study. */
  readonly pathOf: ReadonlyMap<string, string>;
  readonly pin: string;
  readonly chosen: readonly string[];
  readonly mark: (id: string) => void;
  readonly recipes: Recipes;
}

/** Wide ones are left out on narrow screens. */
const columns = [
  ...[["mark", ""] as const, ["run", ""] as const, ["state", ""] as const, ["step", "wide"] as const, ["reward", "wide"] as const],
  ...[["last accuracy", ""] as const, ["best", "wide"] as const, ["alarms", ""] as const, ["stages", "wide"] as const],
];

/** Only the rows in view are made. */
function Rows({ entries, pathOf, pin, chosen, mark, recipes }: RowsProps) {
  const table = useRef<HTMLTableElement>(null);
  const [from, count] = useRowsInView(table, ROW_HEIGHT);
  const part = entries.slice(from, from + count);
  const isGrouped = entries[0] !== undefined && "heading" in entries[0];
  const nameOf = ({ path, study }: RunRow) => (isGrouped ? path.replace(`${pathOf.get(study ?? "")}/`, "") : path);
  return (
    <table class="runs" ref={table} aria-rowcount={entries.length + 1}>
      <thead>
        <tr>
          {columns.map(([name, kind]) => (
            <th scope="col" class={kind} key={name}>
              {name === "mark" ? (
                <span class="hidden">mark</span>
              ) : name === "stages" && pin !== "" ? (
                "recipe against the pinned run's"
              ) : (
                name
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {from > 0 && <tr style={{ height: `${from * ROW_HEIGHT}px` }} />}
        {part.map((run, i) =>
          "heading" in run ? (
            <tr key={run.heading} class="heading" aria-rowindex={from + i + 2}>
              <th colSpan={columns.length} scope="rowgroup">
                {run.study === null ? run.heading : <To path={["studies", run.study]}>{run.heading}</To>}{" "}
                <span class="muted">
                  {run.runs} {run.runs === 1 ? "run" : "runs"}
                </span>
              </th>
            </tr>
          ) : (
            <tr key={run.id} data-run={run.id} aria-rowindex={from + i + 2}>
              <td>
                <input type="checkbox" checked={chosen.includes(run.id)} onChange={() => mark(run.id)} aria-label={`mark ${run.path}`} />
              </td>
              <th scope="row">
                <To path={["runs", run.id]}>{nameOf(run)}</To>
                <small title={run.name}>
                  {[run.data, run.model.split("/").at(-1)].filter((part) => part).join(" · ")} {run.tags.map((tag) => `#${tag}`).join(" ")}
                </small>
              </th>
              <td>
                <Status status={run.status} />
                <small>{ago(run.heartbeat)}</small>
              </td>
              <td class="wide number">
                {run.steps === null ? run.step : `${run.step} / ${run.steps}`}
                {run.secondsLeft !== null && <small>{duration(run.secondsLeft)} left</small>}
              </td>
              <td class="wide">
                <Sparkline values={run.rewards} label={`mean reward from ${run.rewards[0] ?? "–"} to ${run.rewards.at(-1) ?? "–"}`} />
              </td>
              <td class="number">
                <Accuracy of={run.last} run={run.id} />
              </td>
              <td class="wide number">
                <Accuracy of={run.best} run={run.id} />
              </td>
              <td class="number">
                {run.alarms > 0 ? (
                  <To path={["runs", run.id, "alarms"]} class="alarm-count">
                    {run.alarms}
                  </To>
                ) : (
                  "0"
                )}
              </td>
              <td class="wide recipe">
                {pin === "" ? run.stages.join(" → ") : <Differences pinned={recipes[pin]} own={recipes[run.id]} />}{" "}
                <Button class="quiet" pressed={pin === run.id} text="pin" on={() => setValues({ pin: pin === run.id ? null : run.id })} />
              </td>
            </tr>
          ),
        )}
        {from + count < entries.length && <tr style={{ height: `${(entries.length - from - count) * ROW_HEIGHT}px` }} />}
      </tbody>
    </table>
  );
}

function Accuracy({ of, run }: { readonly of: RowAccuracy | null; readonly run: string }) {
  if (of === null) return <span class="muted">–</span>;
  return (
    <>
      <To path={["runs", run, "evaluation"]} values={{ step: of.step }}>
        {percent(of.estimate)} %
      </To>
      <small>
        [{percent(of.low)}, {percent(of.high)}] n {of.n}
      </small>
    </>
  );
}

const MOST_DIFFERENCES = 6;

/** What a recipe has other than the pinned one; all of it in the title. */
function Differences({ pinned, own }: { readonly pinned: Recipes[string] | undefined; readonly own: Recipes[string] | undefined }) {
  if (pinned === undefined || own === undefined) return null;
  const keys = [...new Set([...Object.keys(pinned), ...Object.keys(own)])].filter((key) => pinned[key] !== own[key]);
  const all = keys.map((key) => `${key.split(".").slice(-2).join(".")} ${own[key] ?? "absent"}`);
  const more = keys.length - MOST_DIFFERENCES;
  return (
    <span title={all.join("\n")}>
      {keys.length === 0 ? "the same" : all.slice(0, MOST_DIFFERENCES).join(", ")}
      {more > 0 && ` and ${more} more`}
    </span>
  );
}
