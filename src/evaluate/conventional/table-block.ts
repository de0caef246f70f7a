/** A patient's table as features: numbers as they are, words as flags, values that are missing as 0 with a flag. */
import type { Example } from "../../core/records.ts";
import type { DenseBlock } from "./answering.ts";

type Table = Readonly<Record<string, number | string>>;

/** The table in an example's facts; null where it has none. */
function tableOf({ facts }: Example): Table | null {
  const table = facts?.["table"];
  return typeof table === "object" && table !== null && !Array.isArray(table) ? (table as Table) : null;
}

/** The columns that training tables have, as a block; always null where none has a table. */
export function tableBlock(train: readonly Example[]): DenseBlock {
  const tables = train.map(tableOf).filter((table) => table !== null);
  const names = [...new Set(tables.flatMap((table) => Object.keys(table)))].sort();
  const columns = names.map((name) => {
    const words = tables.flatMap((table) => (typeof table[name] === "string" ? [table[name]] : []));
    return { name, words: [...new Set(words)].sort() };
  });
  return (example) => {
    const table = tableOf(example);
    if (table === null || columns.length === 0) return null;
    return columns.flatMap(({ name, words }) => {
      const value = table[name];
      if (words.length > 0) return words.map((word) => (value === word ? 1 : 0));
      return typeof value === "number" && Number.isFinite(value) ? [value, 0] : [0, 1];
    });
  };
}
