/** A patient's table as features: numbers as they are, words as flags, values that are missing as 0 with a flag. */
import type { Example } from "../../core/records.ts";
import { tableOf } from "../../data/prompts/tabular.ts";
import type { DenseBlock } from "./answering.ts";

/** The columns that training tables have, as a block; always null where none has a table. */
export function tableBlock(train: readonly Example[]): DenseBlock {
  return tableColumns(train).block;
}

/** The block, and the column that each of its features comes from. */
export function tableColumns(train: readonly Example[]): {
  readonly names: readonly string[];
  readonly block: (example: Example) => readonly number[] | null;
} {
  const tables = train.map(tableOf).filter((table) => table !== null);
  const sorted = [...new Set(tables.flatMap((table) => Object.keys(table)))].sort();
  const columns = sorted.map((name) => {
    const words = tables.flatMap((table) => (typeof table[name] === "string" ? [table[name]] : []));
    return { name, words: [...new Set(words)].sort() };
  });
  return {
    names: columns.flatMap(({ name, words }) => (words.length > 0 ? words.map(() => name) : [name, name])),
    block(example) {
      const table = tableOf(example);
      if (table === null || columns.length === 0) return null;
      return columns.flatMap(({ name, words }) => {
        const value = table[name];
        if (words.length > 0) return words.map((word) => (value === word ? 1 : 0));
        return typeof value === "number" && Number.isFinite(value) ? [value, 0] : [0, 1];
      });
    },
  };
}
