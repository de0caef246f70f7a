import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import { openParquet, type ParquetRow } from "./parquet.ts";

const at = (name: string) => fileURLToPath(new URL(`../../test/golden/parquet/${name}`, import.meta.url));
const golden: ParquetRow[] = JSON.parse(readFileSync(at("golden.json"), "utf8")).rows;
const folder = mkdtempSync(join(tmpdir(), "viva-parquet-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function readAll(path: string, columns?: readonly string[]): Promise<ParquetRow[]> {
  const file = await openParquet(path);
  const rows: ParquetRow[] = [];
  try {
    for await (const row of file.rows(columns)) rows.push(row);
  } finally {
    await file.close();
  }
  return rows;
}

/** As golden.json spells bytes. */
const spelled = (row: ParquetRow) =>
  JSON.parse(
    JSON.stringify(row, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value)),
  );

describe("openParquet", () => {
  it.each(["none", "snappy", "gzip", "zstd", "brotli", "lz4"])("reads what pyarrow wrote with %s", async (codec) => {
    const rows = await readAll(at(`${codec}.parquet`));
    // The library cannot tell a group that is null from one whose fields are all null.
    const nulls = { bytes: null, path: null };
    expect(rows.map(spelled).map((row) => ({ ...row, image: row.image ?? nulls }))).toEqual(
      golden.map((row) => ({ ...row, image: row["image"] ?? nulls })),
    );
    const image = rows[0]!["image"] as { bytes: Uint8Array; path: string };
    expect(Buffer.from(image.bytes.subarray(1, 4)).toString()).toBe("PNG");
  });

  it("reads only the columns asked for, row group by row group", async () => {
    expect(await readAll(at("zstd.parquet"), ["number"])).toEqual(golden.map(({ number }) => ({ number })));
    const file = await openParquet(at("zstd.parquet"));
    expect(file.columns).toEqual(["image", "question", "choices", "number", "score", "closed"]);
    expect(file.rowCount).toBe(10);
    const rows = file.rows(["question"]);
    expect((await rows.next()).value).toEqual({ question: "Größe 0?" });
    await file.close(); // the second row group has not been read yet
    const rest = async () => {
      for await (const _ of rows);
    };
    await expect(rest()).rejects.toThrow(UserError);
  });

  it("reads a file without rows", async () => {
    expect(await readAll(at("empty.parquet"))).toEqual([]);
  });

  it("names the file and what is wrong", async () => {
    await expect(readAll(join(folder, "none.parquet"))).rejects.toThrow(/none\.parquet: there is no such file/);
    await expect(readAll(folder)).rejects.toThrow(/it is (a folder|not a file)/);
    await expect(readAll(at("none.parquet"), ["qestion"])).rejects.toThrow(
      /no column "qestion" \(did you mean "question"\?\)/,
    );
    const short = join(folder, "short.parquet");
    writeFileSync(short, readFileSync(at("none.parquet")).subarray(0, -100));
    await expect(readAll(short)).rejects.toThrow(/short\.parquet is not a parquet file.*is the download complete\?/);
  });

  it("ends in an error or a read for every byte that is wrong", async () => {
    const bytes = readFileSync(at("snappy.parquet"));
    const path = join(folder, "damaged.parquet");
    let refused = 0;
    for (let i = 0; i < bytes.length; i += 17) {
      const damaged = Buffer.from(bytes);
      damaged[i]! ^= 0xff;
      writeFileSync(path, damaged);
      const error = await readAll(path).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error !== null) expect(error, `byte ${i}`).toBeInstanceOf(UserError);
      if (error !== null) refused++;
    }
    expect(refused).toBeGreaterThan(10);
  });
});
