/** The alarms of a run: what rang, at which step, on which evidence, and what to do; a note says that one was seen to. */
import { useEffect, useState } from "preact/hooks";
import type { Line } from "../../src/ui/lines.ts";
import { alarmMatter } from "../../src/ui/matters.ts";
import type { RunNote } from "../../src/ui/run-notes.ts";
import { short, signature } from "../format.ts";
import { Button, commas } from "../parts/controls.tsx";
import { OwnName, Said, useNotes } from "../parts/notes.tsx";
import { Problem, To } from "../parts/ways.tsx";
import { isBundle } from "../source.ts";
import type { OfRun } from "../use-data.ts";

export function AlarmsPage({ id, run, again }: OfRun) {
  const { events, notes } = run;
  const { say, problem } = useNotes({ id, again });
  const rung = events.filter(({ event }) => event === "alarm");
  const cleared = events.filter(({ event }) => event === "alarm_cleared");
  const clearing = (alarm: Line) => cleared.find((one) => isSame(one, alarm) && Number(one["step"]) >= Number(alarm["step"]));
  const others = events.filter(({ event }) => !["alarm", "alarm_cleared"].includes(String(event)));
  return (
    <>
      {rung.length === 0 && <p>No alarm has rung.</p>}
      <NotifyButton />
      {!isBundle && rung.length > 0 && (
        <p>
          <OwnName />
        </p>
      )}
      <Problem text={problem} />
      <div class="cases">
        {[...rung].reverse().map((alarm) => {
          const about = alarmMatter(alarm);
          const shown = { run: id, alarm, cleared: clearing(alarm), note: notes[about] ?? null };
          return <Alarm key={about} {...shown} say={(note) => say(about, note)} />;
        })}
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

interface AlarmProps {
  readonly run: string;
  readonly alarm: Line;
  readonly cleared: Line | undefined;
  readonly note: RunNote | null;
  readonly say: (note: string | null) => void;
}

function Alarm({ run, alarm, cleared, note, say }: AlarmProps) {
  const evidence = Array.isArray(alarm["evidence"]) ? alarm["evidence"].map(String) : [];
  const state = cleared !== undefined ? `cleared at step ${cleared["step"]}` : note !== null ? "seen to" : "open";
  return (
    <article class="alarm">
      <h2>
        {String(alarm["rule"])} {alarm["subject"] !== undefined && <span class="muted">({String(alarm["subject"])})</span>}{" "}
        <span class={`badge ${state === "open" ? "bad" : ""}`}>{state}</span>
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
      {note !== null ? (
        <p>
          Seen to by {signature(note)}
          {note.note !== "" && `: ${note.note}`} {!isBundle && <Button text="Open again" on={() => say(null)} />}
        </p>
      ) : (
        !isBundle && <Said label="what was done" button="Seen to" most={2000} on={say} />
      )}
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
