/** A completion's text with what was judged of it: the parsed answer, claims that rewards found, or log-probs by token. */
import type { ComponentChildren } from "preact";
import type { Evidence } from "../../src/core/records.ts";

type Span = Pick<Evidence, "start" | "end">;

interface MarkedTextProps {
  readonly text: string;
  readonly evidence: readonly Evidence[];
  readonly answer: Span | null;
  /** The reward whose claims stand out; null for none in particular. */
  readonly reward: string | null;
}

/** Longer texts are cut until the reader asks for the rest. */
export const SHOWN_CHARACTERS = 6000;
const words = { true: "supported", false: "contradicted", unknown: "not decided" } as const;

/** Solid underline: supported; double: contradicted; dotted: unknown. A piece with several verdicts has the worst. */
export function MarkedText({ text, evidence, answer, reward }: MarkedTextProps) {
  const lies = ({ start, end }: Span) => start >= 0 && start < end && end <= text.length;
  const spans = evidence.filter(lies);
  const framed = answer !== null && lies(answer) ? answer : null;
  const cuts = new Set([0, text.length]);
  for (const { start, end } of framed === null ? spans : [...spans, framed]) cuts.add(start).add(end);
  const ends = [...cuts].sort((a, b) => a - b);
  const waiting = [...spans].sort((a, b) => a.start - b.start);
  let next = 0;
  let open: readonly Evidence[] = [];
  return (
    <>
      {ends.slice(1).map((end, i) => {
        const start = ends[i]!;
        const covers = (span: Span) => span.start <= start && span.end >= end;
        const begun = next;
        while (next < waiting.length && waiting[next]!.start <= start) next++;
        open = [...open, ...waiting.slice(begun, next)].filter(covers);
        const judged = open;
        const piece: ComponentChildren = text.slice(start, end);
        if (judged.length === 0 && framed === null) return piece;
        const inside = judged.length === 0 ? piece : claim(judged, piece, reward, start);
        return framed !== null && covers(framed) ? (
          <b class="answer" key={start}>
            {inside}
          </b>
        ) : (
          inside
        );
      })}
    </>
  );
}

/** A function, not a component: a group may have thousands. Who hovers over it learns its reward from the attribute. */
function claim(judged: readonly Evidence[], piece: ComponentChildren, reward: string | null, key: number) {
  const verdicts = judged.map(({ verdict }) => String(verdict) as keyof typeof words);
  const verdict = verdicts.includes("false") ? "false" : verdicts.includes("unknown") ? "unknown" : "true";
  const titles = judged.map(
    ({ reward, label, concept }, i) =>
      `${reward}: ${label}${concept === undefined ? "" : ` (${concept})`}: ${words[verdicts[i]!] ?? verdicts[i]}`,
  );
  const faded = reward !== null && judged.every((one) => one.reward !== reward);
  return (
    <mark
      key={key}
      class={`claim v-${verdict}${faded ? " faded" : ""}`}
      title={titles.join("; ")}
      data-reward={judged[0]!.reward}
      aria-describedby={`verdict-${verdict}`}
    >
      {piece}
    </mark>
  );
}

/** What the underlines mean; claims name it as their description. */
export function ClaimLegend() {
  return (
    <span class="legend-text">
      claims:{" "}
      {Object.entries(words).map(([verdict, word]) => (
        <mark key={verdict} class={`claim v-${verdict}`} id={`verdict-${verdict}`}>
          {word}
        </mark>
      ))}
    </span>
  );
}

/** The text against another: what only this one has is marked. Words are compared, at most some hundreds of each. */
export function DiffText({ text, against }: { readonly text: string; readonly against: string }) {
  const own = text.split(/(\s+)/).slice(0, 1200);
  const other = against.split(/(\s+)/).slice(0, 1200);
  const kept = commonWords(own, other);
  return <>{own.map((word, i) => (kept.has(i) || word.trim() === "" ? word : <ins key={i}>{word}</ins>))}</>;
}

/** Places in `a` of a longest common subsequence with `b`. */
function commonWords(a: readonly string[], b: readonly string[]): ReadonlySet<number> {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      lengths[at] = a[i] === b[j] ? lengths[at + width + 1]! + 1 : Math.max(lengths[at + width]!, lengths[at + 1]!);
    }
  }
  const kept = new Set<number>();
  for (let [i, j] = [0, 0]; i < a.length && j < b.length; ) {
    const at = i * width + j;
    if (a[i] === b[j]) {
      kept.add(i++);
      j++;
    } else if (lengths[at + width]! >= lengths[at + 1]!) i++;
    else j++;
  }
  return kept;
}
