/** A question of an evaluation: its images, and the answers of one or two models to it. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button } from "./controls.tsx";
import { Viewers } from "./viewers.tsx";
import { Thumbnail } from "./ways.tsx";

interface CasePanelProps {
  /** Whose images they are. */
  readonly run: string;
  readonly example_id: string;
  readonly question: string;
  readonly answer: string;
  readonly images?: readonly string[];
  readonly strata?: Readonly<Record<string, string>>;
  readonly margin?: number | null;
  readonly answers: readonly {
    readonly name: string;
    readonly right: boolean;
    readonly unparsed: boolean;
    readonly text: ComponentChildren;
  }[];
}

export function CasePanel({ run, example_id: id, question, answer, images = [], strata = {}, margin = null, answers }: CasePanelProps) {
  const [open, setOpen] = useState(false);
  const of = strata["modality"] === undefined ? {} : { modality: strata["modality"] };
  return (
    <article class="panel">
      <div class="group-head">
        {images.length > 0 && (
          <Button class="thumb" pressed={open} on={() => setOpen(!open)}>
            <Thumbnail run={run} sha256={images[0]!} alt={`Image of ${id}: look at it closely`} />
          </Button>
        )}
        <div>
          <h3>{question}</h3>
          <p>
            Reference: <b>{answer}</b>{" "}
            <span class="muted">
              {id}
              {margin !== null && `, margin ${margin.toFixed(2)}`}
            </span>
          </p>
        </div>
      </div>
      {open && <Viewers run={run} images={images.map((sha256) => ({ sha256, ...of }))} />}
      <div class="pair-texts">
        {answers.map(({ name, right, unparsed, text }, i) => (
          <div key={i}>
            <h4>
              {name}: {right ? "✓ right" : "✗ wrong"}
              {unparsed && ", not parsed"}
            </h4>
            <p>{text}</p>
          </div>
        ))}
      </div>
    </article>
  );
}
