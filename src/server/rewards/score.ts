/** viva's own way of asking, which the Python stubs use: rows of columns, and with each reward its parts and evidence. */
import { badRequest } from "../api-error.ts";
import { dataUrlBytes } from "../messages.ts";
import { type AskedRow, listAt, objectAt, type RewardDialect } from "./dialect.ts";

export const score: RewardDialect = {
  path: "/score",
  read(body) {
    const { rows, step = null, ...others } = objectAt(body, "body");
    const unknown = Object.keys(others)[0];
    if (unknown !== undefined) throw badRequest(unknown, `${unknown} is not known: a request has rows and step`);
    if (step !== null && !(Number.isSafeInteger(step) && (step as number) >= 0)) {
      throw badRequest("step", "step must be a whole number of at least 0");
    }
    return { rows: listAt(rows, "rows").map((row, i) => readRow(row, `rows[${i}]`)), step: step as number | null };
  },
  answer: (_, scored) => scored,
};

function readRow(row: unknown, where: string): AskedRow {
  const { images: given, ...columns } = objectAt(row, where);
  const images = listAt(given ?? [], `${where}.images`).map((url, i) => {
    const path = `${where}.images[${i}]`;
    if (typeof url !== "string") throw badRequest(path, `${path} must be a data URL`);
    return { path, bytes: dataUrlBytes(url, path) };
  });
  return { columns, images };
}
