/** The questions of an evaluation: by strata, as a confusion, and those that changed against another evaluation. */
import { useMemo } from "preact/hooks";
import { bootstrapMean, RESAMPLES } from "../../src/evaluate/bootstrap.ts";
import type { EvalItem } from "../../src/evaluate/score.ts";
import { address, setValues } from "../address.ts";
import { intervalText, percent } from "../format.ts";
import { CasePanel } from "../parts/case-panel.tsx";
import { Button, Check, Select, Table } from "../parts/controls.tsx";

/** A question of an evaluation; its images by the ids that they are asked for by. */
export type Item = EvalItem;

/** Fewer questions than this make no figure to rely on. */
export const FEW = 20;

const outcomes = {
  fixed: (now: Item, then: Item | undefined) => then?.strict === 0 && now.strict === 1,
  broken: (now: Item, then: Item | undefined) => then?.strict === 1 && now.strict === 0,
  "still wrong": (now: Item, then: Item | undefined) => then?.strict === 0 && now.strict === 0,
  "still right": (now: Item, then: Item | undefined) => then?.strict === 1 && now.strict === 1,
  "not parsed": (now: Item) => now.parse_failure,
  "lenient alone": (now: Item) => now.strict === 0 && now.lenient === 1,
} as const;
type Outcome = keyof typeof outcomes;

export function Items({ run, items, earlier }: { run: string; items: readonly Item[]; earlier: readonly Item[] | null }) {
  const { values } = address.value;
  const before = useMemo(() => new Map((earlier ?? []).map((item) => [item.example_id, item])), [earlier]);
  const names = useMemo(() => strataOf(items), [items]);
  const rowName = values["rows"] ?? names[0] ?? "answer_type";
  const columnName = values["columns"] ?? names[1] ?? "answer_type";
  const third = names[2] !== undefined && valuesOf(items, names[2]).length <= 6 ? names[2] : "";
  const tableName = values["tables"] === "one" ? "" : (values["tables"] ?? third);
  const cell = values["cell"]?.split("|") ?? null;
  const counted = Object.keys(outcomes) as Outcome[];
  const chosen = counted.find((name) => name === values["show"]) ?? (earlier === null ? "not parsed" : "broken");
  const inCell = (item: Item) => cell === null || [rowName, columnName, tableName].every((name, i) => stratumOf(item, name) === cell[i]);
  const has = (name: Outcome) => (item: Item) => inCell(item) && outcomes[name](item, before.get(item.example_id));
  const sorted = values["sort"] !== undefined;
  const found = items.filter(has(chosen)).map((item) => ({ item, margin: marginOf(item, before.get(item.example_id)) }));
  const hasMargins = found.some(({ margin }) => margin !== null);
  const shown = sorted ? found.sort((a, b) => (b.margin ?? 0) - (a.margin ?? 0)) : found;
  return (
    <>
      <HeatTables {...{ items, rowName, columnName, tableName, cell, names }} />
      {cell !== null && <CellAccuracy name={cell.filter((part) => part !== "").join(", ")} items={items.filter(inCell)} />}
      <Confusion items={items} type="closed" />
      <Confusion items={items} type="choice" />
      <h2>Questions</h2>
      <div class="choices">
        {counted.map((name) => (
          <Button
            key={name}
            pressed={name === chosen}
            on={() => setValues({ show: name })}
            text={`${name} ${items.filter(has(name)).length}`}
          />
        ))}
        {hasMargins && <Check label="by margin" checked={sorted} on={(checked) => setValues({ sort: checked ? "margin" : null })} />}
        {cell !== null && <Button text="all strata" on={() => setValues({ cell: null })} />}
      </div>
      {sorted && <p class="muted">Margin: the change of token F1 between the two answers.</p>}
      <CaseList run={run} items={shown} before={before} />
    </>
  );
}

/** How far the words of the answer came nearer to the reference's, or went away from them, as token F1. */
function marginOf(now: Item, then: Item | undefined): number | null {
  return then === undefined ? null : Math.abs(now.token_f1 - then.token_f1);
}

const MOST_CASES = 100;

interface CaseListProps {
  readonly run: string;
  readonly items: readonly { readonly item: Item; readonly margin: number | null }[];
  readonly before: ReadonlyMap<string, Item>;
}

function CaseList({ run, items, before }: CaseListProps) {
  const answerOf = (name: string, { strict, parse_failure, prediction }: Item) => {
    return { name, right: strict === 1, unparsed: parse_failure, text: prediction.slice(0, 3000) };
  };
  return (
    <div class="cases">
      {items.slice(0, MOST_CASES).map(({ item, margin }) => {
        const earlier = before.get(item.example_id);
        const answers = [...(earlier === undefined ? [] : [answerOf("before", earlier)]), answerOf("now", item)];
        return <CasePanel key={item.example_id} run={run} {...item} {...{ answers, margin }} />;
      })}
      {items.length === 0 && <p class="muted">No question is of this kind.</p>}
      {items.length > MOST_CASES && <p class="muted">{items.length - MOST_CASES} more; choose a cell of the table to see fewer.</p>}
    </div>
  );
}

interface HeatTableProps {
  readonly items: readonly Item[];
  readonly rowName: string;
  readonly columnName: string;
  /** The third stratum, of which every value has a table of its own; "" for one table. */
  readonly tableName: string;
  readonly cell: readonly string[] | null;
}

/** Strict accuracy of up to three strata at a time; a press shows the questions of a cell. */
function HeatTables({ names, ...o }: HeatTableProps & { readonly names: readonly string[] }) {
  if (names.length === 0) return null;
  const { items, rowName, columnName, tableName } = o;
  const options = names.map((one) => [one, worded(one)] as const);
  const choose = (name: "rows" | "columns" | "tables", value: string, given: readonly (readonly [string, string])[] = options) => (
    <Select label={name} value={value} options={given} on={(chosen) => setValues({ [name]: chosen, cell: null })} />
  );
  return (
    <>
      <h2>
        Strict accuracy by{" "}
        {[rowName, columnName, tableName]
          .filter((name) => name !== "")
          .map(worded)
          .join(", ")}
      </h2>
      <div class="toolbar">
        {choose("rows", rowName)} {choose("columns", columnName)} {choose("tables", tableName || "one", [["one", "one"], ...options])}
        <span class="muted">Cells of fewer than {FEW} questions are greyed.</span>
      </div>
      {valuesOf(items, tableName).map((value) => (
        <HeatTable key={value} {...o} value={value} items={items.filter((item) => stratumOf(item, tableName) === value)} />
      ))}
    </>
  );
}

function HeatTable({ items, rowName, columnName, tableName, value, cell }: HeatTableProps & { readonly value: string }) {
  const columns = valuesOf(items, columnName);
  const cellOf = (row: string, column: string) => {
    const own = items.filter((item) => stratumOf(item, rowName) === row && stratumOf(item, columnName) === column);
    if (own.length === 0) return "";
    const right = own.filter(({ strict }) => strict === 1).length;
    const isChosen = cell?.[0] === row && cell[1] === column && cell[2] === value;
    return (
      <Button
        class={own.length < FEW ? "quiet heat-few" : "quiet"}
        {...(own.length < FEW ? {} : { style: { "--share": right / own.length } })}
        pressed={isChosen}
        on={() => setValues({ cell: isChosen ? null : `${row}|${column}|${value}` })}
      >
        {percent(right / own.length)} % <small>n {own.length}</small>
      </Button>
    );
  };
  const of = tableName === "" ? "" : `${worded(tableName)} ${value || "none"}, n ${items.length}`;
  return (
    <Table
      class="heat"
      label={of || "All questions"}
      caption
      head={["", ...columns.map((column) => column || "none")]}
      rows={valuesOf(items, rowName).map((row) => ({
        key: row,
        cells: [row || "none", ...columns.map((column) => cellOf(row, column))],
      }))}
    />
  );
}

/** A cell's accuracy with the interval that reports have of a stratum. */
function CellAccuracy({ name, items }: { readonly name: string; readonly items: readonly Item[] }) {
  const found = useMemo(() => {
    const scores = items.map(({ strict }) => strict);
    const subjects = items.map(({ subject_id }) => subject_id);
    return bootstrapMean(scores, subjects, { resamples: RESAMPLES.report });
  }, [items.length, name]);
  return found === null ? null : (
    <p role="status">
      {name}: {intervalText(found)}, n {found.n} about {found.subjects} subjects
    </p>
  );
}

const worded = (name: string) => name.replaceAll("_", " ");

/** Reference against answer, of questions of a type with a small fixed set of answers. */
function Confusion({ items, type }: { readonly items: readonly Item[]; readonly type: "closed" | "choice" }) {
  const own = items.filter(({ answer_type }) => answer_type === type);
  const references = [...new Set(own.map(({ answer }) => answer.toLowerCase()))].sort();
  if (references.length < 2 || references.length > 8) return null;
  const said = (item: Item) => {
    const answer = item.parsed_answer?.text.trim().toLowerCase();
    return answer === undefined ? "not parsed" : references.includes(answer) ? answer : "other";
  };
  const columns = [...references, "other", "not parsed"];
  const count = (reference: string, column: string) =>
    own.filter((item) => item.answer.toLowerCase() === reference && said(item) === column).length;
  return (
    <Table
      class="heat"
      label={`${type === "closed" ? "Closed" : "Choice"} questions: reference (rows) against the strictly parsed answer (columns)`}
      caption
      head={["", ...columns]}
      rows={references.map((name) => ({ key: name, cells: [name, ...columns.map((column) => count(name, column))] }))}
    />
  );
}

function stratumOf(item: Item, name: string): string {
  return name === "answer_type" ? item.answer_type : (item.strata?.[name] ?? "");
}

function valuesOf(items: readonly Item[], name: string): readonly string[] {
  return [...new Set(items.map((item) => stratumOf(item, name)))].sort();
}

/** Strata with 2 to 16 values. */
function strataOf(items: readonly Item[]): readonly string[] {
  const first = ["question_type", "content_type", "modality", "organ", "answer_type"];
  const keys = [...first, ...items.flatMap(({ strata }) => Object.keys(strata ?? {}))];
  return [...new Set(keys)].filter((key) => {
    const { length } = valuesOf(items, key);
    return length > 1 && length <= 16;
  });
}
