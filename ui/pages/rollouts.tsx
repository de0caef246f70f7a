/** What was sampled: filters on the left, the groups that pass them, and the chosen group with its completions. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { groupText } from "../../src/ui/group-text.ts";
import type { GroupColumns } from "../../src/ui/groups.ts";
import { address, go, hrefOf, setValues } from "../address.ts";
import { short } from "../format.ts";
import { useKeys } from "../keys.ts";
import { Button, Check, Field, Select, useRowsInView, useSwipe } from "../parts/controls.tsx";
import { GroupView } from "../parts/group-view.tsx";
import { Histogram } from "../parts/small-charts.tsx";
import { Loaded, To } from "../parts/ways.tsx";
import { isBundle, read } from "../source.ts";
import { type OfRun, useAnswer, useData } from "../use-data.ts";

export function RolloutsPage({ id, run }: OfRun) {
  const groups = useAnswer<GroupColumns>(["runs", id, "groups"]);
  const waiting = groups.value === null ? 0 : run.groups - groups.value.ids.length;
  return (
    <>
      {waiting > 0 && (
        <p class="notice" role="status">
          {waiting} new {waiting === 1 ? "group" : "groups"} <Button text="Show them" on={groups.again} />
        </p>
      )}
      <Loaded
        asked={groups}
        show={(columns) =>
          columns.ids.length === 0 ? <p>Nothing has been sampled yet.</p> : <Browser id={id} groups={columns} weights={run.weights} />
        }
      />
    </>
  );
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
  const hits = useSearch(id, groups.ids, values["q"] ?? "");
  const shown = useMemo(() => filtered(groups, values, hits), [groups, filterKey(values), hits]);
  const pathOf = (place: number) => ["runs", id, "rollouts", ...groups.ids[place]!.split("/")];
  const wanted = path.length >= 5 ? `${path[3]}/${path[4]}` : null;
  const place = wanted === null ? (shown[0] ?? -1) : groups.ids.lastIndexOf(wanted);
  const search = useRef<HTMLInputElement>(null);
  const filters = useRef<HTMLDetailsElement>(null);
  const open = (next: number | undefined) => {
    if (next !== undefined) go(hrefOf(pathOf(next), { ...values, c: null }), { replace: true });
  };
  const at = shown.indexOf(place);
  const byStep = (direction: 1 | -1) => {
    const own = groups.steps[place] ?? 0;
    const ahead = shown.filter((i) => (direction > 0 ? groups.steps[i]! > own : groups.steps[i]! < own));
    open(direction > 0 ? ahead[0] : ahead.findLast((i) => groups.steps[i] === groups.steps[ahead.at(-1)!]));
  };
  const turn = (by: 1 | -1) => open(shown[Math.max(0, at + by)]);
  const swipe = useSwipe(turn);
  useKeys([
    { key: "j", about: "next group", act: () => turn(1) },
    { key: "k", about: "previous group", act: () => turn(-1) },
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
      <GroupList {...{ groups, shown, place, pathOf, values }} />
      <section class="detail" aria-label="The chosen group" {...swipe}>
        {place < 0 ? (
          <p>{wanted === null ? "No group passes the filters." : `There is no group ${wanted} in this run.`}</p>
        ) : (
          <GroupView key={groups.ids[place]} run={id} groups={groups} place={place} weights={weights} />
        )}
      </section>
    </div>
  );
}

/** Groups with a text, by the server, or in a bundle by reading them all; null while nothing is searched for. */
function useSearch(id: string, ids: GroupColumns["ids"], text: string): readonly number[] | null {
  const wanted = text.length < 2 ? "" : text;
  const find = async () => {
    if (wanted === "") return null;
    if (isBundle) return searched(id, ids, wanted.toLowerCase());
    return (await read<{ readonly groups: readonly number[] }>(["runs", id, "search", wanted])).groups;
  };
  return useData(wanted && `${id} ${ids.length} ${wanted}`, find).value;
}

async function searched(run: string, ids: GroupColumns["ids"], wanted: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const [place, id] of ids.entries()) {
    const group = await read<Readonly<Record<string, unknown>>>(["runs", run, "groups", ...id.split("/")]);
    if (groupText(group).includes(wanted)) found.push(place);
  }
  return found;
}

/** What the list depends on: not the image's window, which changes with every move. */
function filterKey({ c: _, wl: __, image: ___, ...values }: Readonly<Record<string, string>>): string {
  return JSON.stringify(values);
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
        <input ref={search} type="search" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <div class="pair">
        {(["from", "to"] as const).map((end) => (
          <Field
            key={end}
            label={`${end} step`}
            type="number"
            min={0}
            value={values[end] ?? ""}
            on={(step) => setValues({ [end]: step })}
          />
        ))}
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
        const on = (checked: boolean) => setValues({ [name]: checked ? 1 : null });
        return <Check key={name} label={`${label} ${count}`} checked={values[name] !== undefined} on={on} />;
      })}
      {Object.entries(groups.facets).map(([name, column]) => {
        const known = [...new Set(column)].filter((value) => value !== "").sort();
        if (known.length < 2 || known.length > 60) return null;
        const options = [["", "all"] as const, ...known.map((value) => [value, value] as const)];
        const on = (value: string) => setValues({ [`is.${name}`]: value });
        return <Select key={name} label={name.replaceAll("_", " ")} value={values[`is.${name}`] ?? ""} options={options} on={on} />;
      })}
    </>
  );
}

const ROW = 34;

interface GroupListProps {
  readonly groups: GroupColumns;
  readonly shown: readonly number[];
  readonly place: number;
  readonly pathOf: (place: number) => readonly string[];
  readonly values: Readonly<Record<string, string>>;
}

/** The groups that pass, only those in view made; 12,500 scroll as 12 do. */
function GroupList({ groups, shown, place, pathOf, values }: GroupListProps) {
  const list = useRef<HTMLOListElement>(null);
  const [first, count] = useRowsInView(list, ROW);
  useEffect(() => {
    const at = shown.indexOf(place);
    const element = list.current?.parentElement ?? null;
    if (at < 0 || element === null) return;
    if (at * ROW < element.scrollTop || (at + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (at - 3) * ROW;
  }, [place, shown]);
  return (
    <nav class="groups" aria-label="Groups">
      <ol ref={list} style={{ height: `${shown.length * ROW}px`, paddingTop: `${first * ROW}px` }}>
        {shown.slice(first, first + count).map((i) => (
          <li key={i}>
            <To path={pathOf(i)} values={{ ...values, c: null }} aria-current={i === place ? "true" : undefined}>
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
            </To>
          </li>
        ))}
      </ol>
    </nav>
  );
}
