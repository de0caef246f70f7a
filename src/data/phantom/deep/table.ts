/**
 * A patient's table: age, sex and five laboratory values that go with the findings, and a survival time. The formulas are
 * ours and stand in docs/data.md; `burden` is the sum of the lesions' diameters, 120 mm and more being 1.
 */
import { fold, integer, normal, type RandomKey, uniform } from "../../../core/random.ts";

/** Sexes are equally frequent. Values are rounded as a laboratory reports them. */
export type PatientTable = {
  readonly age: number;
  readonly sex: "female" | "male";
  readonly crp: number;
  readonly ldh: number;
  readonly hemoglobin: number;
  readonly albumin: number;
  readonly lymphocytes: number;
};

export type Lab = "crp" | "ldh" | "hemoglobin" | "albumin" | "lymphocytes";

/** Names as texts write them, units, and ranges of healthy adults. */
export const labs: Readonly<Record<Lab, { readonly name: string; readonly unit: string; readonly range: string }>> = {
  crp: { name: "CRP", unit: "mg/L", range: "0-5" },
  ldh: { name: "LDH", unit: "U/L", range: "135-225" },
  hemoglobin: { name: "hemoglobin", unit: "g/L", range: "120-170" },
  albumin: { name: "albumin", unit: "g/L", range: "35-52" },
  lymphocytes: { name: "lymphocytes", unit: "10^9/L", range: "1.0-4.0" },
};

export function burdenOf(mm: readonly number[]): number {
  return Math.min(1, mm.reduce((sum, one) => sum + one, 0) / 120);
}

/** The table of a patient whose lesions measure `mm`. */
export function tableOf(mm: readonly number[], key: RandomKey): PatientTable {
  const own = fold(key, "table");
  const burden = burdenOf(mm);
  const age = 35 + integer(own, 0, 51);
  const isFemale = uniform(own, 1) < 0.5;
  const noise = (i: number) => normal(fold(own, "noise"), i);
  return {
    age,
    sex: isFemale ? "female" : "male",
    crp: Math.max(1, Math.round(4 * Math.exp(2.6 * burden + 0.35 * noise(0)))),
    ldh: Math.round(180 + 170 * burden + 20 * noise(1)),
    hemoglobin: Math.round(150 - (isFemale ? 12 : 0) - 25 * burden - 0.15 * (age - 60) + 6 * noise(2)),
    albumin: Math.round(44 - 10 * burden - 0.06 * (age - 60) + 2 * noise(3)),
    lymphocytes: Math.max(0.1, Number((2.2 - 0.9 * burden + 0.3 * noise(4)).toFixed(1))),
  };
}

/** The table as a prompt lists it. */
export function tableText({ age, sex, ...values }: PatientTable): string {
  const rows = (Object.keys(labs) as Lab[]).map((lab) => {
    const { name, unit, range } = labs[lab];
    return `${name} ${values[lab]} ${unit} (${range})`;
  });
  return [`Age ${age}`, `sex ${sex}`, ...rows].join(", ");
}

export type Survival = { readonly months: number; readonly event: boolean };

/** About how many patients are alive when last seen. */
const CENSORED = 0.3;

/**
 * Months to death, exp(3.9 - 0.022 largest - 0.16 count - 0.006 (age - 60) + 0.25 z); three in ten are last seen before it,
 * at 20 to 95 % of that time.
 */
export function survivalOf(mm: readonly number[], { age }: PatientTable, key: RandomKey): Survival {
  const own = fold(key, "survival");
  const expected = 3.9 - 0.022 * Math.max(0, ...mm) - 0.16 * mm.length - 0.006 * (age - 60);
  const time = Math.exp(expected + 0.25 * normal(own, 0));
  const isCensored = uniform(fold(own, "censored"), 0) < CENSORED;
  const seen = isCensored ? time * (0.2 + 0.75 * uniform(fold(own, "censored"), 1)) : time;
  return { months: Math.max(1, Math.round(seen)), event: !isCensored };
}

/**
 * Whether a patient deteriorates: a share of the score's variance is linear in the table, the rest a step in the image (a
 * lesion of 34 mm or more), with noise. About half of the patients do.
 */
export function outcomeOf(mm: readonly number[], table: PatientTable, linearShare: number, key: RandomKey): boolean {
  const { age, crp, ldh, hemoglobin, albumin, lymphocytes } = table;
  // Mean 0 and variance 1 over patients.
  const linear =
    (0.03 * (age - 60) +
      0.5 * (Math.log(crp) - 2.7) +
      (ldh - 267) / 90 -
      (hemoglobin - 131) / 30 -
      (albumin - 38.8) / 9 -
      (lymphocytes - 1.75) / 1.3) /
    2.26;
  const seen = Math.max(0, ...mm) >= 34 ? 0.9 : -0.9;
  const noise = 0.35 * normal(fold(key, "outcome"), 0);
  return Math.sqrt(linearShare) * linear + Math.sqrt(1 - linearShare) * seen + noise > 0;
}
