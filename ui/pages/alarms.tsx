/** The alarms of a run: what rang, at which step, on which evidence, and what to do; those noted stay noted in this browser. */
import { useEffect, useState } from "preact/hooks";
import type { Line } from "../../src/ui/run-view.ts";
import { short } from "../format.ts";
import { Button, commas, Field } from "../parts/controls.tsx";
import { To } from "../parts/ways.tsx";
import type { OfRun } from "../use-data.ts";

export function AlarmsPage({ id, run: { events } }: OfRun) {
  const rung = events.filter(({ event }) => event === "alarm");
  const cleared = events.filter(({ event }) => event === "alarm_cleared");
  const clearing = (alarm: Line) => cleared.find((one) => isSame(one, alarm) && Number(one["step"]) >= Number(alarm["step"]));
  const others = events.filter(({ event }) => !["alarm", "alarm_cleared"].includes(String(event)));
  return (
    <>
      {rung.length === 0 && <p>No alarm has rung.</p>}
      <NotifyButton />
      <div class="cases">
        {[...rung].reverse().map((alarm, i) => (
          <Alarm key={i} run={id} alarm={alarm} cleared={clearing(alarm)} />
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
  );
}

const permission = () => (typeof Notification === "undefined" ? "denied" : Notification.permission);

function NotifyButton() {
  const [allowed, setAllowed] = useState(permission());
  if (allowed !== "default") return null;
  return (
    <Button
      text="Notify me of alarms while a page of this run is open"
      on={async () => setAllowed(await Notification.requestPermission())}
    />
  );
}

/** Tells of an alarm that rings while a page of the run is open: to readers of screens, and as a notification where allowed. */
export function Announcer({ events }: { readonly events: readonly Line[] }) {
  const rung = events.filter(({ event }) => event === "alarm");
  const [known, setKnown] = useState<number | null>(null);
  const latest = rung.at(-1);
  const isNew = known !== null && rung.length > known && latest !== undefined;
  useEffect(() => {
    if (isNew && permission() === "granted") {
      new Notification(`viva: alarm ${latest["rule"]}`, { body: String(latest["message"] ?? "") });
    }
    if (events.length > 0 && known === null) setKnown(rung.length);
  }, [rung.length, events.length > 0]);
  return (
    <p class="hidden" role="alert">
      {isNew ? `Alarm ${latest["rule"]}: ${latest["message"]}` : ""}
    </p>
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
          {commas(
            evidence.map((id) => (
              <To key={id} path={["runs", run, "rollouts", ...id.split("/")]}>
                {id}
              </To>
            )),
          )}
        </p>
      )}
      <Field label="note" value={note ?? ""} on={(text) => acknowledge(text === "" ? null : text)} placeholder="what was done" />{" "}
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
