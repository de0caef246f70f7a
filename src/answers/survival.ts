/** Survival as OncoReason's layout writes it (arXiv 2510.17532): whether the patient has died, and after how many months. */
import type { NumericTarget } from "../core/records.ts";
import { clean } from "./normalise.ts";

/** What a prompt in that layout asks for. */
export const SURVIVAL_FORM =
  'Write the final answer as "Overall Survival Status: 0:LIVING" or "Overall Survival Status: 1:DECEASED", and "Estimated Overall Survival (months): " with a number.';

const STATUS = /(?<![\p{L}\p{N}])(?:([01])\s?:\s?)?(deceased|dead|living|alive)(?![\p{L}\p{N}])/giu;

/** Whether a question is about a time that may be censored. */
export function isSurvival({ target }: { readonly target?: NumericTarget | undefined }): boolean {
  return target?.event !== undefined;
}

/** The reference in the layout's words; null for any other question. */
export function survivalText({ target }: { readonly target?: NumericTarget | undefined }): string | null {
  if (target?.event === undefined) return null;
  const { value, unit = "months", event } = target;
  return `Overall Survival Status: ${event ? "1:DECEASED" : "0:LIVING"}\nEstimated Overall Survival (${unit}): ${value}`;
}

/** Whether an answer says that the patient has died ("1:DECEASED"); null where it says nothing, or both, or a number that denies the word. */
export function statusOf(answer: string): boolean | null {
  const said = [...clean(answer).matchAll(STATUS)].map(([, code, word]) => {
    const isDead = /^d/i.test(word!);
    return code === undefined || Number(code) === Number(isDead) ? isDead : null;
  });
  return said.length > 0 && said.every((one) => one === said[0]) ? said[0]! : null;
}

/** An answer without its status, whose code is no number, and with units as "14 months" for "(months): 14". */
export function withoutStatus(cleaned: string): string {
  return cleaned
    .replace(STATUS, " ")
    .replace(/\(\s?([a-z]+)\s?\)\s?:\s?([-+]?\d+(?:\.\d+)?)(?!\s?[a-z\d.%/-])/gi, ": $2 $1");
}
