/** Data of a page: asked for when its key changes, the last answer kept while the next is on its way. */
import { useEffect, useState } from "preact/hooks";
import { messageOf } from "../src/core/errors.ts";
import { joined, metricColumns } from "../src/ui/metric-columns.ts";
import type { RunDetail } from "../src/ui/run-detail.ts";
import type { Appended } from "../src/ui/tail.ts";
import { isBundle, type Route, read, urlOf } from "./source.ts";

export interface Asked<T> {
  readonly value: T | null;
  readonly error: string | null;
}

export function useData<T>(key: string, ask: () => Promise<T>): Asked<T> & { readonly again: () => void } {
  const [state, setState] = useState<Asked<T> & { readonly key: string }>({ key, value: null, error: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let left = false;
    ask().then(
      (value) => left || setState({ key, value, error: null }),
      (error: unknown) => left || setState({ key, value: null, error: messageOf(error) }),
    );
    return () => {
      left = true;
    };
  }, [key, round]);
  const fresh = state.key === key ? state : { value: null, error: null };
  return { ...fresh, again: () => setRound((n) => n + 1) };
}

/** The answer of a route, as the server's code types it; of none where there is nothing to ask yet. */
export function useAnswer<T>(route: Route | null): ReturnType<typeof useData<T | null>> {
  return useData(route === null ? "" : urlOf(route), async () => (route === null ? null : read<T>(route)));
}

/** What a page below /runs/ID is shown. */
export interface OfRun {
  readonly id: string;
  readonly run: RunDetail;
  /** Asks for the run again, where something was written. */
  readonly again: () => void;
}

/** A run that grows while it is watched; the stream is closed while the page is hidden. */
export function useRun(id: string): Asked<RunDetail> & { readonly again: () => void } {
  const { value, error, again } = useAnswer<RunDetail>(["runs", id]);
  const [grown, setGrown] = useState<{ readonly of: RunDetail; readonly now: RunDetail } | null>(null);
  useEffect(() => {
    if (value === null || isBundle) return;
    let now = value;
    let stream: EventSource | null = null;
    const listen = () => {
      stream = new EventSource(`${urlOf(["runs", id, "tail"])}?from=${now.position}`);
      stream.addEventListener("rows", (event) => {
        now = { ...grow(now, JSON.parse(event.data) as Appended), position: event.lastEventId };
        setGrown({ of: value, now });
      });
      stream.addEventListener("reset", again);
    };
    const follow = () => {
      if (document.hidden) {
        stream?.close();
        stream = null;
      } else if (stream === null) listen();
    };
    follow();
    document.addEventListener("visibilitychange", follow);
    return () => {
      document.removeEventListener("visibilitychange", follow);
      stream?.close();
    };
  }, [value]);
  return { value: grown !== null && grown.of === value ? grown.now : value, error, again };
}

function grow(run: RunDetail, added: Appended): RunDetail {
  const step = added.metrics.reduce((most, line) => Math.max(most, Number(line["step"] ?? 0)), run.row.step);
  const ended = added.events.some(({ event }) => event === "run_end");
  return {
    ...run,
    row: { ...run.row, step, heartbeat: Date.now(), status: ended ? "finished" : run.row.status },
    metrics: joined(run.metrics, metricColumns(added.metrics)),
    events: [...run.events, ...added.events],
    evaluations: [...run.evaluations, ...added.evaluations],
    groups: run.groups + added.groups.ids.length,
  };
}
