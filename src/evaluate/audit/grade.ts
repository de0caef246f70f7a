/**
 * Grades of an audited answer, 1 to 10, and what they come to: FACT-AUDIT's rates (fact-audit.py of its repository), where a
 * right verdict with a poor reason is a failure too.
 */
import { meanOf } from "../../core/mean.ts";

export interface AuditGrade {
  readonly grade: number;
  readonly right: boolean;
}

/** At or below this grade an answer has failed. */
export const FAILING = 3;

/**
 * The grade of an answer about an image whose facts are known (ours): 4 + 6 F1 for a right answer of whose claims at least
 * half are true, else 1 + 2 F1. F1 joins the shares of true claims and of facts stated; an answer without reasoning has 1
 * for the one and 0 for the other.
 */
export function gradeOf(right: boolean, precision: number, f1: number): number {
  return right && precision >= 0.5 ? 4 + 6 * f1 : 1 + 2 * f1;
}

/** F1 of the share of true claims and the share of facts that were stated. */
export function claimF1(precision: number, recall: number): number {
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

export interface AuditRates {
  /** Share of grades of at most 3 (IMR there). */
  readonly failure_rate: number;
  /** Share of grades of at most 3 in spite of a right answer (JFR there). */
  readonly poor_reason_rate: number;
  readonly mean_grade: number;
}

/** The rates of graded answers as they were drawn. */
export function auditRates(grades: readonly AuditGrade[]): AuditRates {
  const share = (holds: (grade: AuditGrade) => boolean) => grades.filter(holds).length / grades.length;
  return {
    failure_rate: share(({ grade }) => grade <= FAILING),
    poor_reason_rate: share(({ grade, right }) => grade <= FAILING && right),
    mean_grade: meanOf(grades.map(({ grade }) => grade)),
  };
}
