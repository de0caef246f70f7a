/** What the options of control-options.ts ask for. */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { problemOf } from "../core/issues.ts";
import { type ControlOptions, type RouteOptions, routeDefaults, type StopOptions } from "../session/control.ts";
import { readStopFile } from "../session/stop-file.ts";
import type { ControlCommandOptions } from "./control-options.ts";

export function controlAsked(o: ControlCommandOptions): ControlOptions {
  const { stop, route, routeOptions: options } = o;
  if (route === undefined && options !== undefined) throw new UserError("--route-options belongs to --route INDEX");
  return {
    ...(stop === undefined ? requireNoStop(o) : { stop: stopAsked(stop, o) }),
    ...(route === undefined ? {} : { route: { index: route, options: routeAsked(options) } }),
  };
}

type StopParts = Pick<ControlCommandOptions, "stopThreshold" | "stopScore" | "minSentences">;

function stopAsked(rule: string, { stopThreshold, stopScore, minSentences }: StopParts): StopOptions {
  const isRule = rule === "confidence" || rule === "options";
  const own: StopOptions = isRule
    ? { stop: rule, threshold: 0.95, minSentences: 1, score: "avg2" }
    : readStopFile(rule);
  return {
    ...own,
    threshold: stopThreshold ?? own.threshold,
    score: stopScore ?? own.score,
    minSentences: minSentences ?? own.minSentences,
  };
}

function requireNoStop({ stopThreshold, stopScore, minSentences }: StopParts): Record<string, never> {
  const given = [stopThreshold, stopScore, minSentences].some((value) => value !== undefined);
  if (given) throw new UserError("--stop-threshold, --stop-score and --min-sentences belong to --stop RULE");
  return {};
}

const routeSchema = z.strictObject({
  alpha: z.number().min(0).max(1).default(routeDefaults.alpha),
  k: z.int().min(1).default(routeDefaults.k),
  tau: z.number().positive().default(routeDefaults.tau),
  theta: z.number().min(0).default(routeDefaults.theta),
  context: z.int().min(0).default(routeDefaults.context),
});

/** "k=8,context=0" with defaults for the rest. */
function routeAsked(text: string | undefined): RouteOptions {
  if (text === undefined) return routeDefaults;
  const parts = text.split(",").map((part) => part.split("="));
  const parsed = routeSchema.safeParse(
    Object.fromEntries(parts.map(([name, value]) => [name!.trim(), value === undefined ? Number.NaN : Number(value)])),
  );
  if (parsed.success) return parsed.data;
  const { path, message } = problemOf(parsed.error.issues[0]!);
  throw new UserError(
    `--route-options ${text}: ${path.join(".") || "the list"}: ${message}, as in alpha=0.5,k=8,tau=0.05,theta=0.4,context=2`,
  );
}
