/** Survival with its reasons (OncoReason's tasks, arXiv 2510.17532; weights are ours): status, months, reasoning, form. */
import { composite } from "./composite.ts";
import { format } from "./format.ts";
import { numeric } from "./numeric.ts";
import { rationale } from "./rationale.ts";
import { survivalStatus } from "./survival-status.ts";

export const survival = composite("survival", {
  status: { reward: survivalStatus, weight: 1 },
  months: { reward: numeric, weight: 1 },
  rationale: { reward: rationale, weight: 0.5 },
  format: { reward: format, weight: 0.5 },
});
