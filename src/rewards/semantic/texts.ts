/** Which text of a completion a semantic scorer reads, and which text of the example it is compared with. */
import { z } from "zod";
import { parseAnswer } from "../../answers/parse.ts";
import { parseRationale, type Rationale } from "../../answers/rationale.ts";
import type { AnswerStyle } from "../../answers/tags.ts";
import type { Example } from "../../core/records.ts";

export const textOptions = {
  /** The part of the completion that is scored. */
  of: z.enum(["rationale", "answer"]).default("rationale"),
  /** What it is compared with; `auto` is the reference reasoning, else the reference answer. */
  reference: z.enum(["auto", "rationale", "answer"]).default("auto"),
};

/** How completions are asked to look; the rewards' context has it. */
export interface Form {
  readonly style: AnswerStyle;
  readonly thinkOpened?: boolean | undefined;
}

/** Null where the completion has none. */
export function givenText(completion: string, of: "rationale" | "answer", form: Form): Rationale | null {
  return of === "rationale" ? parseRationale(completion, form.style) : parseAnswer(completion, form);
}

/** Null where the example has none. */
export function referenceText(example: Example, which: "auto" | "rationale" | "answer"): string | null {
  const rationale = (example.rationale ?? "").trim() === "" ? null : example.rationale!;
  if (which === "rationale") return rationale;
  return which === "answer" ? example.answer : (rationale ?? example.answer);
}
