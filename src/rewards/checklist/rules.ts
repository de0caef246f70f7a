/**
 * Rules of a checklist: goals, which reasoning is to reach, and constraints, which it is to keep. Every mistake in them is
 * one sentence that names the rule.
 */
import { z } from "zod";
import { CLAIM_KINDS } from "../../answers/claims/parse.ts";
import { UserError } from "../../core/errors.ts";
import { nearest } from "../../core/suggest.ts";

const claimKind = z.enum(CLAIM_KINDS, { error: `must be of ${CLAIM_KINDS.join(", ")}` });

const shared = {
  id: z.string({ error: "needs an id" }).min(1),
  kind: z.enum(["goal", "constraint"], { error: "kind must be goal or constraint" }),
  weight: z.number({ error: "weight must be a number above 0" }).positive({ error: "must be above 0" }).default(1),
  /** Goals that must be reached before: what comes too early does not count, or breaks a constraint. */
  after: z.array(z.string()).default([]),
};

const aboutClaims = {
  /** Kinds of claims; a constraint checked by facts may leave them out and means all. */
  claims: z.array(claimKind).default([]),
  /** Concepts of the vocabulary that the claims are about; none: any. */
  concepts: z.array(z.string()).default([]),
};

/** A rule by how it is checked. */
const ruleSchema = z.discriminatedUnion(
  "check",
  [
    z.strictObject({ ...shared, check: z.literal("pattern"), pattern: z.string({ error: "needs a pattern" }).min(1) }),
    z.strictObject({ ...shared, check: z.literal("claim"), ...aboutClaims }),
    z.strictObject({ ...shared, check: z.literal("fact"), ...aboutClaims }),
    z.strictObject({ ...shared, check: z.literal("judge"), ask: z.string({ error: "needs ask, a question" }).min(1) }),
  ],
  { error: "check must be one of pattern, claim, fact, judge" },
);

export type Rule = z.output<typeof ruleSchema>;
export type RuleOf<Check extends Rule["check"]> = Extract<Rule, { check: Check }>;

/** Rules for every question, or by the variant that a question is put in. */
export interface RuleSets {
  /** Null where they differ by variant. */
  readonly all: readonly Rule[] | null;
  readonly byVariant: ReadonlyMap<string, readonly Rule[]>;
}

/** Reads `{ rules: […] }` or a list; or `{ paradigms: { name: […] } }`, rules for each way of putting a question. */
export function readRuleSets(given: unknown, where: string): RuleSets {
  const sets = (given as { readonly paradigms?: unknown } | null)?.paradigms;
  if (typeof sets !== "object" || sets === null) return { all: readRules(given, where), byVariant: new Map() };
  const read = Object.entries(sets).map(([name, rules]) => [name, readRules(rules, `${where}: ${name}`)] as const);
  return { all: null, byVariant: new Map(read) };
}

/** Reads `{ rules: […] }` or a list; goals come in an order in which each follows all of its `after`. */
export function readRules(given: unknown, where: string): readonly Rule[] {
  const list = Array.isArray(given) ? given : (given as { readonly rules?: unknown } | null)?.rules;
  const fail = (problem: string): never => {
    throw new UserError(`${where}: ${problem}`);
  };
  if (!Array.isArray(list) || list.length === 0) return fail("needs rules, a list of at least one");
  const rules = list.map((one: unknown, i) => {
    const name = `rules[${i}]${namedId(one)}`;
    const read = ruleSchema.safeParse(one);
    if (read.success) return read.data;
    const issue = read.error.issues[0]!;
    return fail(`${name}: ${[...issue.path, issue.message].join(" ")}`);
  });
  for (const [i, { id }] of rules.entries()) {
    if (rules.findIndex((rule) => rule.id === id) < i) fail(`two rules are called ${id}`);
  }
  const goals = rules.filter(({ kind }) => kind === "goal").map(({ id }) => id);
  if (goals.length === 0) fail("needs a goal: constraints alone say what to avoid, not what to do");
  for (const rule of rules) {
    const unknown = rule.after.find((id) => !goals.includes(id));
    if (unknown !== undefined) {
      const near = nearest(unknown, goals);
      fail(`${rule.id}: after names ${unknown}, which is no goal${near === null ? "" : `; did you mean ${near}?`}`);
    }
    const needsClaims = rule.check === "claim" || (rule.check === "fact" && rule.kind === "goal");
    if (needsClaims && rule.claims.length === 0) fail(`${rule.id}: needs claims, a list of their kinds`);
    if (rule.check === "pattern") compile(rule.pattern, (problem) => fail(`${rule.id}: pattern: ${problem}`));
  }
  return inOrder(rules, fail);
}

function namedId(rule: unknown): string {
  const id = (rule as { readonly id?: unknown } | null)?.id;
  return typeof id === "string" ? ` (${id})` : "";
}

function compile(pattern: string, fail: (problem: string) => never): void {
  try {
    new RegExp(pattern, "iu");
  } catch (error) {
    fail((error as Error).message);
  }
}

function inOrder(rules: readonly Rule[], fail: (problem: string) => never): readonly Rule[] {
  const sorted: Rule[] = [];
  let rest = rules;
  while (rest.length > 0) {
    const waiting = new Set(rest.filter(({ kind }) => kind === "goal").map(({ id }) => id));
    const next = rest.filter(({ after }) => !after.some((id) => waiting.has(id)));
    if (next.length === 0) fail(`${rest.map(({ id }) => id).join(", ")} wait for each other in a circle (after)`);
    sorted.push(...next);
    rest = rest.filter((rule) => !next.includes(rule));
  }
  return sorted;
}
