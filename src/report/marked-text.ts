/** A completion's text with highlights: the parsed answer and the spans that rewards judged, which can overlap. */
import { type Html, html } from "./html.ts";
import type { ShownCompletion, ShownEvidence } from "./rollout-sample.ts";

/** Longer texts are truncated in a report; the run folder has them in full. */
export const MAX_CHARACTERS = 4000;

/**
 * The escaped text, split at the ends of spans. A piece with several verdicts shows the worst. Spans outside the text
 * (a damaged record) are dropped.
 */
export function markedText({ text, parsed_answer, evidence }: ShownCompletion): Html {
  const shown = text.slice(0, MAX_CHARACTERS);
  const lies = ({ start, end }: { readonly start: number; readonly end: number }) => start >= 0 && start < end;
  const spans = evidence.filter(lies);
  const answer = parsed_answer && lies(parsed_answer) ? parsed_answer : null;
  const cuts = new Set([0, shown.length]);
  for (const { start, end } of answer === null ? spans : [...spans, answer]) {
    if (start < shown.length) cuts.add(start).add(Math.min(end, shown.length));
  }
  const ends = [...cuts].sort((a, b) => a - b);
  const pieces = ends.slice(1).map((end, i) => {
    const start = ends[i]!;
    const covers = (span: { readonly start: number; readonly end: number }) => span.start <= start && span.end >= end;
    const judged = spans.filter(covers);
    const piece = judged.length === 0 ? html`${shown.slice(start, end)}` : claim(shown.slice(start, end), judged, end);
    return answer !== null && covers(answer) ? html`<b class="answer">${piece}</b>` : piece;
  });
  const rest = text.length - shown.length;
  return html`${pieces}${rest > 0 && html`<span class="cut"> … ${rest} more characters in rollouts.jsonl</span>`}`;
}

const symbols = { true: "✓", false: "✗", unknown: "?" } as const;
const words = { true: "true", false: "false", unknown: "undecided" } as const;

function claim(piece: string, judged: readonly ShownEvidence[], end: number): Html {
  const verdicts = judged.map(({ verdict }) => String(verdict) as keyof typeof symbols);
  const verdict = verdicts.includes("false") ? "false" : verdicts.includes("unknown") ? "unknown" : "true";
  const title = judged
    .map(({ reward, label, concept }, i) => {
      return `${reward}: ${label}${concept === undefined ? "" : ` (${concept})`}: ${words[verdicts[i]!]}`;
    })
    .join("; ");
  const closes = judged.some((span) => span.end === end);
  return html`<mark class="v-${verdict}" title="${title}">${piece}${closes && html`<span class="verdict" role="img" aria-label="${words[verdict]}">${symbols[verdict]}</span>`}</mark>`;
}
