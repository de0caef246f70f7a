/** What was sampled: filters on the left, the groups that pass them, and the chosen group with its completions. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { GroupColumns } from "../../src/ui/groups.ts";
import { address, go, hrefOf, setValues } from "../address.ts";
import { short } from "../format.ts";
import { useKeys } from "../keys.ts";
import { GroupView } from "../parts/group-view.tsx";
import { Histogram } from "../parts/small-charts.tsx";
import { Loaded, RunTabs } from "../parts/ways.tsx";
import { api, isBundle, read } from "../source.ts";
import { useData, useRun } from "../use-data.ts";

export function RolloutsPage({ run: id }: { readonly run: string }) {
  const run = useRun(id);
  const groups = useData(`${id} groups`, () => readGroups(id));
  const waiting = (run.value?.groups ?? 0) - (groups.value?.ids.length ?? 0);
  return (
    <>
      <RunTabs run={id} page="rollouts" name={run.value?.row.path ?? id} />
      {groups.value !== null && waiting > 0 && (
        <p class="notice" role="status">
          {waiting} new {waiting === 1 ? "group" : "groups"}{" "}
          <button type="button" onClick={groups.again}>
            Show them
          </button>
        </p>
      )}
      <Loaded
        asked={groups}
        show={(columns) =>
          columns.ids.length === 0 ? (
            <p>Nothing has been sampled yet.</p>
          ) : (
            <Browser id={id} groups={columns} weights={run.value?.weights ?? {}} />
          )
        }
      />
    </>
  );
}

async function readGroups(id: string): Promise<GroupColumns> {
  return (await read(api.runs[":run"].groups.$get({ param: { run: id } }))) as GroupColumns;
}

interface BrowserProps {
  readonly id: string;
  readonly groups: GroupColumns;
  readonly weights: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const flags = [
  ["zero", "no variance", (g: GroupColumns, i: number) => g.deviations[i] === 0],
  ["cut", "some cut", (g: GroupColumns, i: number) => g.truncated[i]! > 0],
  ["unparsed", "some not parsed", (g: GroupColumns, i: number) => g.unparsed[i]! > 0],
  ["divided", "rewards disagree", (g: GroupColumns, i: number) => g.divided[i]! > 0],
] as const;

function Browser({ id, groups, weights }: BrowserProps) {
  const { path, values } = address.value;
  const hits = useSearch(id, values["q"] ?? "");
  const shown = useMemo(() => filtered(groups, values, hits), [groups, JSON.stringify(values), hits]);
  const wanted = path.length >= 5 ? `${path[3]}/${path[4]}` : null;
  const place = wanted === null ? (shown[0] ?? -1) : groups.ids.lastIndexOf(wanted);
  const search = useRef<HTMLInputElement>(null);
  const filters = useRef<HTMLDetailsElement>(null);
  const open = (next: number | undefined) => {
    if (next !== undefined)
      go(hrefOf(["runs", id, "rollouts", ...groups.ids[next]!.split("/")], { ...values, c: null }), { replace: true });
  };
  const at = shown.indexOf(place);
  const byStep = (direction: 1 | -1) => {
    const own = groups.steps[place] ?? 0;
    const ahead = shown.filter((i) => (direction > 0 ? groups.steps[i]! > own : groups.steps[i]! < own));
    open(direction > 0 ? ahead[0] : ahead.findLast((i) => groups.steps[i] === groups.steps[ahead.at(-1)!]));
  };
  useKeys([
    { key: "j", about: "next group", act: () => open(shown[at + 1]) },
    { key: "k", about: "previous group", act: () => open(shown[Math.max(0, at - 1)]) },
    { key: "]", about: "next step", act: () => byStep(1) },
    { key: "[", about: "previous step", act: () => byStep(-1) },
    { key: "/", about: "search in texts", act: () => search.current?.focus() },
    { key: "f", about: "filters", act: () => filters.current?.toggleAttribute("open") },
  ]);
  return (
    <div class="browser">
      <details class="filters" ref={filters} open={innerWidth > 900}>
        <summary>
          Filters: {shown.length} of {groups.ids.length} groups
        </summary>
        <Filters groups={groups} values={values} search={search} />
      </details>
      <GroupList
        groups={groups}
        shown={shown}
        place={place}
        href={(i) => hrefOf(["runs", id, "rollouts", ...groups.ids[i]!.split("/")], { ...values, c: null })}
      />
      <section class="detail" aria-label="The chosen group">
        {place < 0 ? (
          <p>{wanted === null ? "No group passes the filters." : `There is no group ${wanted} in this run.`}</p>
        ) : (
          <GroupView key={groups.ids[place]} run={id} groups={groups} place={place} weights={weights} />
        )}
      </section>
    </div>
  );
}

/** Groups with a text, by the server; null while nothing is searched for. */
function useSearch(id: string, text: string): readonly number[] | null {
  const asked = useData(`${id} search ${text}`, async () =>
    text.length < 2 || isBundle ? null : (await read(api.runs[":run"].search[":text"].$get({ param: { run: id, text } }))).groups,
  );
  return asked.value;
}

function filtered(groups: GroupColumns, values: Readonly<Record<string, string>>, hits: readonly number[] | null): readonly number[] {
  const from = Number(values["from"] ?? 0);
  const to = Number(values["to"] ?? Number.POSITIVE_INFINITY);
  const range = rangeOf(values["reward"]);
  const wantedFlags = flags.filter(([name]) => values[name] !== undefined);
  const facets = Object.entries(groups.facets).filter(([name]) => (values[`is.${name}`] ?? "") !== "");
  const places = hits ?? groups.ids.map((_, i) => i);
  return places.filter((i) => {
    const step = groups.steps[i]!;
    const mean = groups.means[i] ?? null;
    if (step < from || step > to) return false;
    if (range !== null && (mean === null || mean < range[0] || mean >= range[1])) return false;
    if (!wantedFlags.every(([, , holds]) => holds(groups, i))) return false;
    return facets.every(([name, column]) => column[i] === values[`is.${name}`]);
  });
}

function rangeOf(text: string | undefined): readonly [number, number] | null {
  const [from, to] = (text ?? "").split(",").map(Number);
  return text === undefined || Number.isNaN(from) || Number.isNaN(to) ? null : [from!, to!];
}

interface FiltersProps {
  readonly groups: GroupColumns;
  readonly values: Readonly<Record<string, string>>;
  readonly search: { current: HTMLInputElement | null };
}

function Filters({ groups, values, search }: FiltersProps) {
  const means = useMemo(() => groups.means.filter((mean) => mean !== null), [groups]);
  const [text, setText] = useState(values["q"] ?? "");
  useEffect(() => {
    const timer = setTimeout(() => (values["q"] ?? "") === text || setValues({ q: text }), 250);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <>
      <label>
        text in question, answer or completion
        <input ref={search} type="search" value={text} disabled={isBundle} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <div class="pair">
        <label>
          from step{" "}
          <input type="number" min="0" value={values["from"] ?? ""} onChange={(event) => setValues({ from: event.currentTarget.value })} />
        </label>
        <label>
          to step{" "}
          <input type="number" min="0" value={values["to"] ?? ""} onChange={(event) => setValues({ to: event.currentTarget.value })} />
        </label>
      </div>
      <p class="label">mean reward of the group</p>
      <Histogram
        values={means}
        label="mean reward of groups; press a bar to see its groups"
        chosen={rangeOf(values["reward"])}
        onChoose={(range) => setValues({ reward: range === null ? null : range.map((edge) => edge.toPrecision(6)).join(",") })}
      />
      {flags.map(([name, label, holds]) => {
        const count = groups.ids.filter((_, i) => holds(groups, i)).length;
        return (
          <label key={name}>
            <input
              type="checkbox"
              checked={values[name] !== undefined}
              onChange={(event) => setValues({ [name]: event.currentTarget.checked ? 1 : null })}
            />{" "}
            {label} <span class="muted">{count}</span>
          </label>
        );
      })}
      {Object.entries(groups.facets).map(([name, column]) => {
        const known = [...new Set(column)].filter((value) => value !== "").sort();
        if (known.length < 2 || known.length > 60) return null;
        return (
          <label key={name}>
            {name.replaceAll("_", " ")}
            <select value={values[`is.${name}`] ?? ""} onChange={(event) => setValues({ [`is.${name}`]: event.currentTarget.value })}>
              <option value="">all</option>
              {known.map((value) => (
                <option key={value} value={value}>
                  {value}
                </option>
              ))}
            </select>
          </label>
        );
      })}
    </>
  );
}

const ROW = 34;

interface GroupListProps {
  readonly groups: GroupColumns;
  readonly shown: readonly number[];
  readonly place: number;
  readonly href: (place: number) => string;
}

/** The groups that pass, only those in view made; 12,500 scroll as 12 do. */
function GroupList({ groups, shown, place, href }: GroupListProps) {
  const list = useRef<HTMLDivElement>(null);
  const [from, setFrom] = useState(0);
  useEffect(() => {
    const at = shown.indexOf(place);
    const element = list.current;
    if (at < 0 || element === null) return;
    if (at * ROW < element.scrollTop || (at + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (at - 3) * ROW;
  }, [place, shown]);
  const first = Math.max(0, Math.floor(from / ROW) - 10);
  const part = shown.slice(first, first + 60);
  return (
    <nav class="groups" aria-label="Groups" ref={list} onScroll={(event) => setFrom(event.currentTarget.scrollTop)}>
      <ol style={{ height: `${shown.length * ROW}px`, paddingTop: `${first * ROW}px` }}>
        {part.map((i) => (
          <li key={i}>
            <a href={isBundle ? `#${href(i)}` : href(i)} aria-current={i === place ? "true" : undefined}>
              <span class="id">{groups.ids[i]}</span>
              <span class="number" title="mean reward ± standard deviation">
                {short(groups.means[i])} <small>±{short(groups.deviations[i])}</small>
              </span>
              <span class="marks">
                {groups.deviations[i] === 0 && <span title="no variance: nothing to learn here">=</span>}
                {groups.truncated[i]! > 0 && <span title={`${groups.truncated[i]} cut`}>✂</span>}
                {groups.unparsed[i]! > 0 && <span title={`${groups.unparsed[i]} not parsed`}>∅</span>}
                {groups.divided[i]! > 0 && <span title={`on ${groups.divided[i]} rewards disagree`}>≠</span>}
              </span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
