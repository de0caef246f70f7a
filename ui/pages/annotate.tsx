/** Blind judging: image, question and text without rewards, run or step; one mark at a time, by keyboard alone if wanted. */
import { useRef, useState } from "preact/hooks";
import { messageOf } from "../../src/core/errors.ts";
import type { Mark } from "../../src/ui/annotations.ts";
import type { ShownItem } from "../../src/ui/queue.ts";
import { address, setValues } from "../address.ts";
import { useKeys } from "../keys.ts";
import { Button, Field, Select } from "../parts/controls.tsx";
import { nameSelf, ownName, Said } from "../parts/notes.tsx";
import { Viewers } from "../parts/viewers.tsx";
import { Choices, Loaded, Problem, To, useTitle } from "../parts/ways.tsx";
import { send } from "../source.ts";
import { useAnswer } from "../use-data.ts";

const empty: Mark = { answer: null, rationale: null, unsafe: false, spans: [], better_than: null, note: "", seconds: 0 };

export function AnnotatePage({ run }: { readonly run: string }) {
  useTitle("Annotate");
  const { by = "" } = address.value.values;
  return (
    <>
      <h1>Annotate</h1>
      {by === "" ? <Name /> : <Queue run={run} by={by} />}
      <p>
        <To path={["runs", run, "rewards"]}>Agreement and exports</To> <span class="muted">(shows rewards: look there after judging)</span>
      </p>
    </>
  );
}

function Name() {
  const begin = (name: string) => setValues({ by: nameSelf(name) }, { replace: false });
  return (
    <>
      <p>
        Completions are shown without their rewards, in an order that says nothing. Your marks go into a file of your own in the run's
        folder.
      </p>
      <Said label="your name" button="Begin" most={40} value={ownName.value} on={begin} />
    </>
  );
}

function Queue({ run, by }: { readonly run: string; readonly by: string }) {
  const asked = useAnswer<{ readonly items: readonly ShownItem[] }>(["runs", run, "queue", by]);
  return (
    <Loaded
      asked={asked}
      show={({ items }) => (items.length === 0 ? <p>There is nothing to judge in this run.</p> : <Session {...{ run, by, items }} />)}
    />
  );
}

function Session({ run, by, items }: { readonly run: string; readonly by: string; readonly items: readonly ShownItem[] }) {
  const [done, setDone] = useState<ReadonlySet<string>>(() => new Set(items.filter((item) => item.done).map(({ target }) => target)));
  const next = items.findIndex(({ target }) => !done.has(target));
  const asked = Number(address.value.values["i"] ?? Number.NaN);
  const place = Number.isInteger(asked) && asked >= 0 && asked < items.length ? asked : next;
  const item = items[place];
  const show = (to: number) => setValues({ i: Math.max(0, Math.min(items.length - 1, to)), wl: null });
  const saved = (target: string, withdrawn: boolean) => {
    const now = new Set(done);
    if (withdrawn) now.delete(target);
    else now.add(target);
    setDone(now);
    setValues({ i: null, wl: null });
  };
  return (
    <>
      <p class="facts" role="status">
        <span>
          {done.size} of {items.length} judged by {by}
        </span>
        <progress value={done.size} max={items.length} aria-label="judged" />
      </p>
      {item === undefined ? (
        <p class="verdict">All are judged. Thank you.</p>
      ) : (
        <Judge key={item.target} {...{ run, by, item, place, show }} judged={done.has(item.target)} onSaved={saved} />
      )}
    </>
  );
}

interface JudgeProps {
  readonly run: string;
  readonly by: string;
  readonly item: ShownItem;
  readonly place: number;
  readonly judged: boolean;
  readonly show: (place: number) => void;
  readonly onSaved: (target: string, withdrawn: boolean) => void;
}

const answers = [
  ["right", "y"],
  ["wrong", "n"],
  ["unsure", "u"],
] as const;
const rationales = [
  ["sound", "q"],
  ["flawed", "w"],
  ["none", "e"],
] as const;

function Judge({ run, by, item, place, judged, show, onSaved }: JudgeProps) {
  const [mark, setMark] = useState(empty);
  const [problem, setProblem] = useState<string | null>(null);
  const [began] = useState(() => performance.now());
  const change = (changes: Partial<Mark>) => setMark((old) => ({ ...old, ...changes }));
  const save = async (withdrawn: boolean) => {
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    const json = { by, target: item.target, text_sha256: item.text_sha256, withdrawn, mark: { ...mark, seconds } };
    try {
      await send(["runs", run, "annotations"], json);
      onSaved(item.target, withdrawn);
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  const ready = mark.answer !== null;
  const better = () => void (item.other !== null && change({ better_than: mark.better_than === null ? 0 : null }));
  useKeys([
    ...answers.map(([answer, key]) => ({ key, about: `the answer is ${answer}`, act: () => change({ answer }) })),
    ...rationales.map(([rationale, key]) => ({ key, about: `the reasoning: ${rationale}`, act: () => change({ rationale }) })),
    { key: "x", about: "unsafe to act on", act: () => change({ unsafe: !mark.unsafe }) },
    { key: "s", about: "next sentence; the space bar marks it as false, true, unclear", act: nextSentence },
    { key: "b", about: "better than the other completion", act: better },
    { key: "Enter", about: "save and go on", act: () => ready && void save(false) },
    { key: "[", about: "the one before", act: () => show(place - 1) },
    { key: "]", about: "the next one", act: () => show(place + 1) },
  ]);
  return (
    <div class="annotate">
      <div>
        {item.images.length === 0 ? (
          <p class="muted">no image</p>
        ) : (
          <Viewers run={run} images={item.images.map((sha256) => ({ sha256 }))} main />
        )}
      </div>
      <div>
        <h2>{item.question}</h2>
        <Choices choices={item.choices} />
        <details>
          <summary>Reference answer</summary>
          <b>{item.answer}</b>
        </details>
        <Sentences text={item.text} spans={mark.spans} onChange={(spans) => change({ spans })} />
        <AnyPart text={item.text} spans={mark.spans} onChange={(spans) => change({ spans })} />
        <Spans text={item.text} spans={mark.spans} onChange={(spans) => change({ spans })} />
        <fieldset>
          <legend>The answer is</legend>
          <div class="choices">
            {answers.map(([answer, key]) => (
              <Button key={answer} pressed={mark.answer === answer} on={() => change({ answer })}>
                {answer} <kbd>{key}</kbd>
              </Button>
            ))}
          </div>
        </fieldset>
        <fieldset>
          <legend>The reasoning is</legend>
          <div class="choices">
            {rationales.map(([rationale, key]) => (
              <Button key={rationale} pressed={mark.rationale === rationale} on={() => change({ rationale })}>
                {rationale === "none" ? "not there" : rationale} <kbd>{key}</kbd>
              </Button>
            ))}
            <Button pressed={mark.unsafe} on={() => change({ unsafe: !mark.unsafe })}>
              unsafe to act on <kbd>x</kbd>
            </Button>
          </div>
        </fieldset>
        {item.other !== null && (
          <details>
            <summary>Another completion of the same question</summary>
            <p class="completion">{item.other}</p>
            <Button pressed={mark.better_than !== null} on={better}>
              the one above is better <kbd>b</kbd>
            </Button>
          </details>
        )}
        <label>
          note <textarea rows={2} maxLength={2000} value={mark.note} onInput={(event) => change({ note: event.currentTarget.value })} />
        </label>
        <div class="buttons">
          <Button class="primary" disabled={!ready} on={() => void save(false)}>
            Save and go on <kbd>Enter</kbd>
          </Button>
          <Button text="before" on={() => show(place - 1)} />
          <Button text="next" on={() => show(place + 1)} />
          {judged && <Button text="withdraw my mark" on={() => void save(true)} />}
        </div>
        <Problem text={problem} />
      </div>
    </div>
  );
}

interface SpansProps extends Pick<Mark, "spans"> {
  readonly text: string;
  readonly onChange: (spans: Mark["spans"]) => void;
}

const labels = [
  ["false_claim", "false"],
  ["true_claim", "true"],
  ["unclear", "unclear"],
] as const;

/** Sentences that can be pressed: each press goes on to the next label, and in the end to none. */
function Sentences({ text, spans, onChange }: SpansProps) {
  const pieces = [...text.matchAll(/<\/?(?:think|answer)>|[^.!?<]+[.!?]*\s*|[.!?<]/g)];
  return (
    <p class="completion">
      {pieces.map(({ 0: piece, index }) => {
        if (/^<\/?\w+>$/.test(piece) || piece.trim().length < 3) return <span key={index}>{piece}</span>;
        const end = index + piece.trimEnd().length;
        const isThis = (span: Mark["spans"][number]) => span.start === index && span.end === end;
        const marked = spans.find(isThis);
        const at = labels.findIndex(([label]) => label === marked?.label);
        const [next] = labels[at + 1] ?? [];
        const others = spans.filter((span) => !isThis(span));
        const span = { ...marked, start: index, end };
        const flip = () => onChange(next === undefined ? others : [...others, { ...span, label: next }]);
        return (
          <Button
            key={index}
            class={`sentence ${marked?.label ?? ""}`}
            pressed={marked !== undefined}
            aria-label={`${at < 0 ? "" : `${labels[at]![1]}: `}${piece}`}
            text={piece}
            on={flip}
          />
        );
      })}
    </p>
  );
}

/** Any other part, selected by mouse or by Shift and arrows. Fields count a line's end of two letters as one. */
function AnyPart({ text, spans, onChange }: SpansProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  if (text.includes("\r")) return null;
  const mark = () => {
    const { selectionStart: start, selectionEnd: end } = field.current!;
    if (end > start && !spans.some((span) => span.start === start && span.end === end)) {
      onChange([...spans, { start, end, label: "false_claim" }]);
    }
  };
  return (
    <details>
      <summary>Mark a part of the text</summary>
      <label>
        select a part <textarea ref={field} rows={4} readOnly value={text} />
      </label>
      <Button text="mark the selection" on={mark} />
    </details>
  );
}

/** What was marked, with the concept that it is about where the annotator names one. */
function Spans({ text, spans, onChange }: SpansProps) {
  const change = (i: number, changes: Partial<Mark["spans"][number]>) =>
    onChange(spans.map((span, at) => (at === i ? { ...span, ...changes } : span)));
  return (
    <ul class="spans">
      {spans.map(({ start, end, label, concept = "" }, i) => (
        <li key={`${start} ${end}`}>
          <q>{text.slice(start, Math.min(end, start + 60))}</q>{" "}
          <Select label="is" value={label} options={labels} on={(to) => change(i, { label: to as typeof label })} />{" "}
          <Field
            label="about"
            value={concept}
            placeholder="concept, such as effusion"
            maxLength={80}
            on={(to) => change(i, { concept: to })}
          />{" "}
          <Button class="quiet" text="take away" on={() => onChange(spans.filter((_, at) => at !== i))} />
        </li>
      ))}
    </ul>
  );
}

function nextSentence(): void {
  const all = [...document.querySelectorAll<HTMLElement>(".sentence")];
  const at = all.indexOf(document.activeElement as HTMLElement);
  all[(at + 1) % all.length]?.focus();
}
