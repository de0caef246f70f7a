/** Asks a checkpoint, or two with one seed, about an image; the answers stream in. Nothing is computed before the button is pressed. */
import { useRef, useState } from "preact/hooks";
import { messageOf } from "../../src/core/errors.ts";
import type { LiveDelta } from "../../src/core/live-answers.ts";
import type { RolloutRecord } from "../../src/train/rollout-records.ts";
import type { CheckpointRow } from "../../src/ui/checkpoint-list.ts";
import type { DataSummary } from "../../src/ui/data-summary.ts";
import type { AskedQuestion } from "../../src/ui/play.ts";
import type { RunRow } from "../../src/ui/run-row.ts";
import { address, setValues } from "../address.ts";
import { Button, Check, Field, Select } from "../parts/controls.tsx";
import { MarkedText } from "../parts/marked-text.tsx";
import { RewardBars } from "../parts/reward-bars.tsx";
import { Viewers } from "../parts/viewers.tsx";
import { Choices, Loaded, Problem, Thumbnail } from "../parts/ways.tsx";
import { parseWindow } from "../parts/window-level.ts";
import { send } from "../source.ts";
import { type OfRun, useAnswer } from "../use-data.ts";

export function PlayPage({ id }: OfRun) {
  const state = useAnswer<{ readonly play: boolean }>(["state"]);
  const data = useAnswer<DataSummary>(["runs", id, "data"]);
  const checkpoints = useAnswer<readonly CheckpointRow[]>(["runs", id, "checkpoints"]);
  const runs = useAnswer<{ readonly runs: readonly RunRow[] }>(["runs"]);
  const { row } = address.value.values;
  const group = useAnswer<RolloutRecord>(row === undefined ? null : ["runs", id, "groups", ...row.split("/")]);
  if (state.value?.play === false) return <p class="notice">This page may not ask checkpoints: viva ui was started with --no-play.</p>;
  const busy = runs.value?.runs.filter(({ status }) => status === "running").length ?? 0;
  const ask = (rows: readonly CheckpointRow[]) => {
    const steps = rows.map(({ step }) => step);
    if (steps.length === 0) return <p>This run has no checkpoint yet.</p>;
    if (row !== undefined && group.value === null) return <Loaded asked={group} show={() => null} />;
    const show = ({ images }: DataSummary) => {
      const own = images.filter(({ sha256 }) => sha256 === address.value.values["sha"]);
      const shown = [...own, ...images.filter((one) => !own.includes(one))].slice(0, 60);
      return <Ask key={row} id={id} images={shown} steps={steps} busy={busy} group={group.value} />;
    };
    return <Loaded asked={data} show={show} />;
  };
  return <Loaded asked={checkpoints} show={ask} />;
}

interface AskProps {
  readonly id: string;
  readonly images: DataSummary["images"];
  readonly steps: readonly number[];
  /** Runs that are being trained. */
  readonly busy: number;
  /** Whose question is asked again; null for another. */
  readonly group: RolloutRecord | null;
}

function Ask({ id, images, steps, busy, group }: AskProps) {
  const { values } = address.value;
  const [answers, setAnswers] = useState<Readonly<Record<string, readonly LiveDelta[]>>>({});
  const [problem, setProblem] = useState<string | null>(null);
  const [working, setWorking] = useState<AbortController | null>(null);
  const [file, setFile] = useState<string | null>(null);
  const [allowed, setAllowed] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const change = (values["change"] ?? "none") as AskedQuestion["change"] | "wrong";
  const place = images.findIndex(({ sha256 }) => sha256 === values["sha"]);
  const other = images.find(({ subject }, i) => i > place && subject !== images[place]?.subject) ?? images.find((_, i) => i !== place);
  const isOther = change === "wrong" && other !== undefined;
  const isFile = file !== null && !isOther;
  const sha256 = isOther ? other.sha256 : values["sha"];
  const step = Number(values["step"] ?? steps.at(-1));
  const against = values["against"] ?? "";
  const of = group?.meta["modality"] === undefined || isOther ? {} : { modality: group.meta["modality"] };
  const window = parseWindow(values["wl"]);
  const isWindowed = values["windowed"] !== undefined && window !== null;
  const ask = async () => {
    const fields = new FormData(form.current!);
    const number = (name: string) => Number(fields.get(name));
    const common = {
      row: group?.id ?? null,
      reference: String(fields.get("reference")).trim() || null,
      window: isWindowed && !isFile ? window : null,
      image: isFile ? { base64: file! } : sha256 === undefined ? null : { sha256 },
      change: change === "wrong" ? "none" : change,
      question: String(fields.get("question")),
      samples: number("samples"),
      temperature: number("temperature"),
    };
    const left = new AbortController();
    setWorking(left);
    setProblem(null);
    setAnswers({});
    try {
      for (const one of against === "" ? [step] : [step, Number(against)]) {
        const asked = { ...common, step: one, seed: number("seed"), max_tokens: number("max_tokens") };
        await stream(id, asked, left.signal, (deltas) => setAnswers((old) => ({ ...old, [`step ${one}`]: deltas })));
      }
    } catch (error) {
      if (!left.signal.aborted) setProblem(messageOf(error));
    } finally {
      setWorking(null);
    }
  };
  return (
    <>
      <p class="notice">Research use only. The model is not a medical device.</p>
      <form
        ref={form}
        class="play"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <label>
          question{" "}
          <textarea
            name="question"
            rows={2}
            required
            maxLength={4000}
            defaultValue={group?.question ?? values["question"] ?? "What is shown in this image?"}
          />
        </label>
        {group !== null && <Choices choices={group.choices} />}
        <Field label="reference answer, for the rewards" name="reference" type="text" defaultValue={group?.answer ?? ""} />
        <fieldset>
          <legend>image</legend>
          <div class="strip">
            {images.map(({ sha256, name }) => (
              <Button
                class="thumb"
                key={sha256}
                pressed={values["sha"] === sha256}
                on={() => setValues({ sha: values["sha"] === sha256 ? null : sha256, wl: null, windowed: null })}
              >
                <Thumbnail run={id} sha256={sha256} alt={name} />
              </Button>
            ))}
          </div>
          <label>
            or a file{" "}
            <input type="file" accept="image/*" onChange={async (event) => setFile(await base64Of(event.currentTarget.files?.[0]))} />
          </label>{" "}
          <span class="choices">
            {(["blank", "mirrored", "wrong"] as const).map((one) => (
              <Button
                key={one}
                pressed={change === one}
                text={one}
                on={() => setValues({ change: change === one ? null : one, wl: null, windowed: null })}
              />
            ))}
          </span>
          {change === "wrong" && <p class="muted">Asked with another subject's image: {other?.name ?? "this run has no other"}.</p>}
          {sha256 !== undefined && (
            <>
              <Viewers key={sha256} run={id} images={[{ sha256, ...of }]} main />
              <Check
                label={
                  window === null
                    ? "windowed pixels go to the model: move the window first"
                    : `windowed pixels go to the model: window ${window.width}, level ${window.level}`
                }
                checked={isWindowed}
                disabled={window === null || isFile}
                on={(checked) => setValues({ windowed: checked ? 1 : null })}
              />
            </>
          )}
        </fieldset>
        <div class="toolbar">
          <Select
            label="checkpoint"
            value={step}
            options={steps.map((one) => [one, `step ${one}`] as const)}
            on={(to) => setValues({ step: to })}
          />
          <Select
            label="and"
            value={against}
            options={[["", "no other"] as const, ...steps.map((one) => [one, `step ${one}`] as const)]}
            on={(to) => setValues({ against: to })}
          />
          {fields.map(([name, label, value, min, max, step]) => (
            <Field key={name} type="number" {...{ label, name, min, max, step }} defaultValue={String(value)} required />
          ))}
        </div>
        {busy > 0 && (
          <Check
            label={`${busy} ${busy === 1 ? "run is" : "runs are"} being trained and would be slowed: answer all the same`}
            checked={allowed}
            on={setAllowed}
          />
        )}
        <div class="buttons">
          <button type="submit" class="primary" disabled={working !== null || (busy > 0 && !allowed)}>
            Ask
          </button>
          {working !== null && <Button text="Stop" on={() => working.abort()} />}
        </div>
      </form>
      <Problem text={problem} />
      <p role="status" class="muted">
        {working !== null && "the model is answering …"}
      </p>
      <div class="pair-texts">
        {Object.entries(answers).map(([name, deltas]) => (
          <section key={name} aria-label={name}>
            <h2>
              {name} {deltas.length > 1 && <small>{voteOf(deltas)}</small>}
            </h2>
            {deltas.map((delta) => (
              <Answer key={delta.completion} {...delta} />
            ))}
          </section>
        ))}
      </div>
    </>
  );
}

/** With what the run's rewards say of it, where a reference was given. */
function Answer({ text, done, answer, scores }: LiveDelta) {
  const unasked = Object.entries(scores?.unasked ?? {});
  const lacksFacts = scores?.noFacts != null && Object.values(scores.rewards).includes(null);
  return (
    <article class="card">
      {scores && <RewardBars {...scores} total={scores.reward} />}
      {unasked.length > 0 && <p class="muted">Not asked: {unasked.map(([name, why]) => `${name} (${why})`).join(", ")}</p>}
      {lacksFacts && <p class="muted">What needs facts of the image does not apply: {scores.noFacts}.</p>}
      <p class="completion">
        <MarkedText text={text} evidence={scores?.evidence ?? []} answer={null} reward={null} />
      </p>
      {done && <p class="muted">{answer === null ? "no answer was read" : `answer: ${answer}`}</p>}
    </article>
  );
}

const fields = [
  ["samples", "answers", 1, 1, 16, 1],
  ["temperature", "temperature", 0, 0, 2, 0.1],
  ["seed", "seed", 42, 0, 1e9, 1],
  ["max_tokens", "most tokens", 128, 1, 2048, 1],
] as const;

function voteOf(deltas: readonly LiveDelta[]): string {
  const counts = new Map<string, number>();
  for (const { answer } of deltas) if (answer != null) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([answer, count]) => `${answer} ×${count}`)
    .join(", ");
}

async function base64Of(file: File | undefined): Promise<string | null> {
  if (file === undefined) return null;
  const url = await new Promise<string>((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.readAsDataURL(file);
  });
  return url.slice(url.indexOf(",") + 1);
}

async function stream(id: string, asked: AskedQuestion, signal: AbortSignal, show: (deltas: readonly LiveDelta[]) => void): Promise<void> {
  const answer = await send(["runs", id, "play"], asked, signal);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const deltas: LiveDelta[] = [];
  let pending = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (pending + value).split("\n\n");
    pending = parts.pop()!;
    for (const part of parts) {
      const data = JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? "{}") as LiveDelta & { readonly message?: string };
      if (/^event: failed$/m.test(part)) throw new Error(data.message);
      if (/^event: delta$/m.test(part)) deltas[data.completion] = data;
    }
    show(deltas.filter((delta) => delta !== undefined));
  }
}
