/** Runs probes: asks the plain questions and every variant once, then each probe measures. */
import type { Example } from "../../core/records.ts";
import { requireNamed } from "../../core/suggest.ts";
import type { Policy } from "../../engine/engine.ts";
import type { Divergence } from "../metrics/flips.ts";
import type { ProbeName } from "../names.ts";
import { type AskOptions, askVariant } from "./ask.ts";
import type { Asked } from "./asked.ts";
import { divergenceMeter } from "./divergence.ts";
import { probes } from "./index.ts";
import type { Measure } from "./measure.ts";
import type { Probe, ProbeContext, ProbePlan, Variant, WeightChange } from "./probe.ts";
import type { OpenedProbeTools } from "./tools.ts";

/** The measures of one probe, or why it does not apply. */
export interface ProbeResult {
  readonly probe: ProbeName;
  readonly about: Probe["about"];
  readonly title: string;
  readonly skipped: string | null;
  readonly measures: readonly Measure[];
}

export interface ProbeRun {
  readonly results: readonly ProbeResult[];
  /** Every answer by variant, plain first. */
  readonly answers: ReadonlyMap<string, readonly Asked[]>;
}

export interface RunProbesOptions
  extends Omit<AskOptions, "onAnswer">,
    Omit<ProbeContext, "examples" | "plain" | "style"> {
  /** By probe, then by the probe's own name for it; missing tools are not configured. */
  readonly tools: OpenedProbeTools;
  readonly onProgress?: (done: number, total: number) => void;
  /** Opens the same policy with its weights changed; null if that is not possible. */
  readonly openChanged: ((change: WeightChange) => Promise<ChangedPolicy>) | null;
}

export interface ChangedPolicy {
  readonly policy: Asking;
  close(): Promise<void>;
}

/** A policy that is asked; one without log-probs has no divergences. */
type Asking = Pick<Policy, "sample"> & Partial<Pick<Policy, "logProbs">>;

/** The plain questions as a variant. */
export const PLAIN = "plain";

/** Runs the named probes, in that order. */
export async function runProbes(
  policy: Asking,
  examples: readonly Example[],
  names: readonly ProbeName[],
  o: RunProbesOptions,
): Promise<ProbeRun> {
  let done = 0;
  let total = examples.length;
  const asking = { ...o, onAnswer: () => o.onProgress?.(++done, total) };
  const plain = await askVariant(policy, examples, { name: PLAIN }, asking);
  const context: ProbeContext = { ...o, examples, plain, style: o.prompt.style };
  const plans = names.map((name) => ({ name, plan: planOf(name, context, o) }));
  const wanted = new Map<string, Variant>();
  for (const { plan } of plans) if (typeof plan !== "string") for (const v of plan.variants) wanted.set(v.name, v);
  for (const { rows } of wanted.values()) total += (rows ?? examples).length;

  const answers = new Map<string, readonly Asked[]>([[PLAIN, plain]]);
  const diverges = plans.some(({ plan }) => typeof plan !== "string" && plan.diverges);
  const meter = diverges && scores(policy) ? await divergenceMeter(policy, examples, o.train, asking) : null;
  const divergences = new Map<string, Divergence>();
  for (const [, variants] of byWeights([...wanted.values()])) {
    const { weights, name, seeksTemperature = false } = variants[0]!;
    const opened = weights === undefined ? null : await o.openChanged!(weights);
    try {
      for (const variant of variants) {
        answers.set(variant.name, await askVariant(opened?.policy ?? policy, examples, variant, asking));
      }
      if (meter !== null && opened !== null && scores(opened.policy)) {
        divergences.set(name, await meter.of(opened.policy, seeksTemperature));
      }
    } finally {
      await opened?.close();
    }
  }
  const results: ProbeResult[] = [];
  for (const { name, plan } of plans) results.push(await resultOf(name, plan, answers, divergences));
  return { results, answers };
}

function scores(policy: Asking): policy is Pick<Policy, "sample" | "logProbs"> {
  return policy.logProbs !== undefined;
}

/** Variants that ask the same weights, the policy's own first. */
function byWeights(variants: readonly Variant[]): ReadonlyMap<string, readonly Variant[]> {
  const groups = new Map<string, Variant[]>([["", []]]);
  for (const variant of variants) {
    const key = variant.weights === undefined ? "" : JSON.stringify(variant.weights);
    groups.set(key, [...(groups.get(key) ?? []), variant]);
  }
  if (groups.get("")!.length === 0) groups.delete("");
  return groups;
}

/** A probe's plan with its tools; variants with changed weights need a policy that can be opened with them. */
function planOf(name: ProbeName, context: ProbeContext, o: RunProbesOptions): ProbePlan | string {
  const probe: Probe = probes[name];
  const tools = Object.keys(probe.tools ?? {}).map((tool) => [tool, o.tools[name]?.[tool] ?? null]);
  const plan = probe.plan(context, Object.fromEntries(tools));
  const changes = typeof plan !== "string" && plan.variants.some(({ weights }) => weights !== undefined);
  return changes && o.openChanged === null ? "the weights are not available" : plan;
}

async function resultOf(
  name: ProbeName,
  plan: ProbePlan | string,
  answers: ReadonlyMap<string, readonly Asked[]>,
  divergences: ReadonlyMap<string, Divergence>,
): Promise<ProbeResult> {
  const { about, title } = probes[name];
  if (typeof plan === "string") return { probe: name, about, title, skipped: plan, measures: [] };
  const measures = await plan.measure(
    plan.variants.map((variant) => answers.get(variant.name)!),
    divergences,
  );
  return { probe: name, about, title, skipped: null, measures };
}

/** The probes of these names; if there are none, all but those that must be named. A UserError suggests the nearest. */
export function findProbes(names: readonly string[]): readonly ProbeName[] {
  const found = names.map((name) => requireNamed("probe", name, probes));
  const all = Object.keys(probes) as ProbeName[];
  return found.length === 0 ? all.filter((name) => !(probes[name] as Probe).onlyNamed) : [...new Set(found)];
}
