/** The alarms of a run: what rang, at which step, on which evidence, and what to do; those noted stay noted in this browser. */
import { useEffect, useState } from "preact/hooks";
import type { Line } from "../../src/ui/run-view.ts";
import { short } from "../format.ts";
import { Loaded, RunTabs, To } from "../parts/ways.tsx";
import { useRun } from "../use-data.ts";

export function AlarmsPage({ run: id }: { readonly run: string }) {
  const run = useRun(id);
  const events = run.value?.events ?? [];
  const rung = events.filter(({ event }) => event === "alarm");
  const cleared = events.filter(({ event }) => event === "alarm_cleared");
  const open = rung.filter((alarm) => !cleared.some((one) => isSame(one, alarm) && Number(one["step"]) >= Number(alarm["step"]))).length;
  const others = events.filter(({ event }) => !["alarm", "alarm_cleared"].includes(String(event)));
  return (
    <>
      <RunTabs run={id} page="alarms" name={`${open > 0 ? `(${open}) ` : ""}${run.value?.row.path ?? id}`} />
      <Announcer count={rung.length} latest={rung.at(-1)} />
      <Loaded
        asked={run}
        show={() => (
          <>
            {rung.length === 0 && <p>No alarm has rung.</p>}
            <div class="cases">
              {[...rung].reverse().map((alarm, i) => (
                <Alarm
                  key={i}
                  run={id}
                  alarm={alarm}
                  cleared={cleared.find((one) => isSame(one, alarm) && Number(one["step"]) >= Number(alarm["step"]))}
                />
              ))}
            </div>
            <h2>Events</h2>
            <ul>
              {others.map((event, i) => (
                <li key={i}>
                  step {String(event["step"] ?? "–")}: {String(event["event"])}
                  <span class="muted"> {summary(event)}</span>
                </li>
              ))}
            </ul>
          </>
        )}
      />
    </>
  );
}

/** Tells of an alarm that rings while the page is open: to readers of screens, and as a notification where allowed. */
function Announcer({ count, latest }: { readonly count: number; readonly latest: Line | undefined }) {
  const [known, setKnown] = useState<number | null>(null);
  const [allowed, setAllowed] = useState(typeof Notification === "undefined" ? "denied" : Notification.permission);
  useEffect(() => {
    if (known !== null && count > known && allowed === "granted" && latest !== undefined) {
      new Notification(`viva: alarm ${latest["rule"]}`, { body: String(latest["message"] ?? "") });
    }
    setKnown(count);
  }, [count]);
  return (
    <>
      <p class="hidden" role="alert">
        {known !== null && count > known && latest !== undefined ? `Alarm ${latest["rule"]}: ${latest["message"]}` : ""}
      </p>
      {allowed === "default" && (
        <button type="button" onClick={async () => setAllowed(await Notification.requestPermission())}>
          Notify me of alarms while this page is open
        </button>
      )}
    </>
  );
}

function Alarm({ run, alarm, cleared }: { readonly run: string; readonly alarm: Line; readonly cleared: Line | undefined }) {
  const key = `viva-alarm ${run} ${alarm["rule"]} ${alarm["subject"] ?? ""} ${alarm["step"]}`;
  const [note, setNote] = useState(localStorage.getItem(key));
  const evidence = Array.isArray(alarm["evidence"]) ? alarm["evidence"].map(String) : [];
  const acknowledge = (text: string | null) => {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
    setNote(text);
  };
  return (
    <article class="alarm">
      <h2>
        {String(alarm["rule"])} {alarm["subject"] !== undefined && <span class="muted">({String(alarm["subject"])})</span>}{" "}
        {cleared === undefined ? <span class="badge bad">open</span> : <span class="badge">cleared at step {String(cleared["step"])}</span>}
      </h2>
      <p>
        Step {String(alarm["step"])}: {String(alarm["message"] ?? "")}
      </p>
      <p class="muted">
        value {short(Number(alarm["value"]))}, threshold {short(Number(alarm["threshold"]))}, over {String(alarm["window"] ?? "–")} steps
      </p>
      <p>{String(alarm["advice"] ?? "")}</p>
      {evidence.length > 0 && (
        <p>
          Look at{" "}
          {evidence.map((id, i) => (
            <span key={id}>
              {i > 0 && ", "}
              <To path={["runs", run, "rollouts", ...id.split("/")]}>{id}</To>
            </span>
          ))}
        </p>
      )}
      <label>
        note{" "}
        <input
          value={note ?? ""}
          onChange={(event) => acknowledge(event.currentTarget.value === "" ? null : event.currentTarget.value)}
          placeholder="what was done"
        />
      </label>{" "}
      {note !== null && <span class="badge good">noted in this browser</span>}
    </article>
  );
}

function isSame(a: Line, b: Line): boolean {
  return a["rule"] === b["rule"] && a["subject"] === b["subject"];
}

/** The rest of an event in one line. */
function summary(event: Line): string {
  const rest = Object.entries(event).filter(([name]) => !["event", "step"].includes(name));
  const text = rest.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
  return text.length > 300 ? `${text.slice(0, 300)} …` : text;
}
