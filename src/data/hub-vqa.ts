/** Questions in the Hub's plain form (columns image, question, answer) without an answer type: yes and no are closed. */
import { z } from "zod";
import type { Example } from "../core/records.ts";
import { imageCell, imageRef, parquetSplits, readParquetRows, requireSplit } from "./parquet-splits.ts";
import { cellText } from "./rows.ts";

const rowSchema = z.object({ image: imageCell, question: z.string(), answer: z.string() });

/** A split's examples; a subject is an image, by its content. Null where the folder has no parquet file. */
export async function loadHubVqa(name: string, folder: string, split: string): Promise<readonly Example[] | null> {
  const splits = await parquetSplits(folder);
  if (splits.size === 0) return null;
  const files = requireSplit(name, folder, split, splits);
  const rows = await readParquetRows(files, rowSchema, ["image", "question", "answer"]);
  return rows.map(({ row, where }, i): Example => {
    const answer = cellText(row.answer, "answer", where);
    return {
      id: `${name}/${split}/${i + 1}`,
      subjectId: `${name}/${row.image.sha256.slice(0, 16)}`,
      question: cellText(row.question, "question", where),
      images: [imageRef(row.image)],
      answer,
      answerType: /^(?:yes|no)\.?$/i.test(answer) ? "closed" : "open",
      choices: [],
      meta: { split },
    };
  });
}
