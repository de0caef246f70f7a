/**
 * How a patient's table is told to a model: as a list, as prose, or as numbers a group at a time over several turns (XAI4LLM,
 * arXiv 2405.06270, and ClinicRealm, arXiv 2407.18525; the wording is ours).
 */
import * as z from "zod";
import { UserError } from "../../core/errors.ts";
import { flag, mapping, oneOf, text, whole } from "../../core/fields.ts";
import type { Example } from "../../core/records.ts";

const columnOf = mapping({
  name: text().nullable().default(null).describe("As the prompt calls it; null is the column's own name."),
  unit: text().nullable().default(null),
  range: text().nullable().default(null).describe("Reference range."),
});

const group = mapping({
  name: text("the name of a group"),
  columns: z.array(text("the name of a column"), { error: "a list of columns" }).min(1, { error: "a list of columns" }),
  note: text().nullable().default(null).describe("What a reader should know of these values."),
});

/** The schema of a file of groups. */
export const tableSchema = mapping({
  style: oneOf("list", "narrative", "numeric_conversational")
    .default("list")
    .describe("A list; prose; or a turn of numbers for each group, the question last."),
  groups: z.array(group, { error: "a list of groups" }).min(1, { error: "a list of at least one group" }),
  columns: z.record(text(), columnOf, { error: "a mapping of columns" }).default({}),
  knowledge: whole({ min: 0 })
    .default(0)
    .describe("Name so many columns that a regression on the training tables finds most telling; 0 names none."),
  allow_unsure: flag().default(false).describe('Tell the model that it may answer "I do not know".'),
});

export type TableFile = Readonly<z.output<typeof tableSchema>>;

type Table = Readonly<Record<string, number | string>>;

/** The table in an example's facts; null where it has none. */
export function tableOf({ facts }: Example): Table | null {
  const table = facts?.["table"];
  return typeof table === "object" && table !== null && !Array.isArray(table) ? (table as Table) : null;
}

/** The example with its table told before its question; `telling` are the columns to name as telling, the first the most. */
export function withTable(example: Example, file: TableFile, telling: readonly string[]): Example {
  const table = tableOf(example);
  if (table === null) throw new UserError(`example "${example.id}" has no table (facts.table) to tell`);
  const told = file.groups.map((group) => ({ ...group, values: valuesOf(group.columns, table, file) }));
  const known = told.filter(({ values }) => values.length > 0);
  const end = [hintOf(telling, file), example.question, file.allow_unsure ? UNSURE : ""].filter((line) => line !== "");
  const noted = (note: string | null) => (note === null ? "" : ` (${note})`);
  switch (file.style) {
    case "list": {
      const blocks = known.map(({ name, note, values }) => {
        const rows = values.map(({ name, shown, range }) => `- ${name}: ${shown}${ranged(range, " (reference ", ")")}`);
        return [`${name}${noted(note)}:`, ...rows].join("\n");
      });
      return { ...example, question: [...blocks, ...end].join("\n") };
    }
    case "narrative": {
      const sentences = known.map(({ name, note, values }) => {
        const parts = values.map(({ name, shown, range }) => `${name} is ${shown}${ranged(range, ", usually ", "")}`);
        return `${name}${noted(note)}: ${parts.join("; ")}.`;
      });
      return { ...example, question: [...sentences, ...end].join(" ") };
    }
    case "numeric_conversational": {
      const turns = known.map(({ name, note, values }) => {
        const numbers = values.map(({ name, shown }) => `${name} ${shown}`);
        return `${name}${noted(note)}: ${numbers.join(", ")}`;
      });
      return { ...example, before: turns, question: end.join("\n") };
    }
  }
}

const UNSURE = 'If you cannot tell, answer "I do not know".';

function hintOf(telling: readonly string[], { columns }: TableFile): string {
  const names = telling.map((column) => columns[column]?.name ?? column);
  return names.length === 0 ? "" : `Most telling in other patients: ${names.join(", ")}.`;
}

/** The columns that the table has; what is missing is left out. */
function valuesOf(columns: readonly string[], table: Table, file: TableFile) {
  return columns.flatMap((column) => {
    const value = table[column];
    if (value === undefined) return [];
    const { name = null, unit = null, range = null } = file.columns[column] ?? {};
    return [{ name: name ?? column, shown: unit === null ? String(value) : `${value} ${unit}`, range }];
  });
}

function ranged(range: string | null, before: string, after: string): string {
  return range === null ? "" : `${before}${range}${after}`;
}
