/** High-throughput JPEG 2000, encoded by OpenJPH, which is not the library that decodes it. */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { writeDicom } from "../../../test/cli/dicom-writer.ts";
import { decodeImage } from "../images.ts";

interface Encoder {
  getDecodedBuffer(frame: object): Uint8Array;
  setQuality(reversible: boolean, step: number): void;
  setProgressionOrder(order: number): void;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
}

const folder = mkdtempSync(join(tmpdir(), "viva-htj2k-"));
afterAll(() => rmSync(folder, { recursive: true }));
const film = {
  width: 64,
  height: 40,
  patient: "P1",
  grey: Uint8Array.from({ length: 2560 }, (_, i) => (i * 37) % 251),
};
const RPCL = 2;

async function encoded(order: number | null, isReversible: boolean): Promise<Uint8Array> {
  const open = createRequire(import.meta.url)("@cornerstonejs/codec-openjph/wasmjs");
  const { HTJ2KEncoder } = (await open()) as { readonly HTJ2KEncoder: new () => Encoder };
  const encoder = new HTJ2KEncoder();
  const { width, height } = film;
  const frame = { width, height, bitsPerSample: 12, componentCount: 1, isSigned: false, isUsingColorTransform: false };
  const values = Uint16Array.from(film.grey, (value) => 16 * value);
  encoder.getDecodedBuffer(frame).set(new Uint8Array(values.buffer));
  encoder.setQuality(isReversible, 0.0001);
  if (order !== null) encoder.setProgressionOrder(order);
  encoder.encode();
  return Uint8Array.from(encoder.getEncodedBuffer());
}

it.each([
  ["lossless", "1.2.840.10008.1.2.4.201", null, true],
  ["lossless by resolution", "1.2.840.10008.1.2.4.202", RPCL, true],
  ["lossy", "1.2.840.10008.1.2.4.203", null, false],
] as const)("shows %s files as they were before", async (_, syntax, order, isReversible) => {
  const [plain, file] = [join(folder, "plain.dcm"), join(folder, `${syntax}.dcm`)];
  writeDicom(plain, film);
  writeDicom(file, { ...film, compressed: { syntax, frame: await encoded(order, isReversible) } });
  const [before, after] = await Promise.all([decodeImage({ path: plain }), decodeImage({ path: file })]);
  const far = after.image.data.findIndex(
    (value, i) => Math.abs(value - before.image.data[i]!) > (isReversible ? 0 : 1),
  );
  expect(far).toBe(-1);
  expect(after.image.data.length).toBe(3 * 2560);
});

it("names the syntax of what is streamed or refused", async () => {
  const file = join(folder, "stream.dcm");
  writeDicom(file, { ...film, compressed: { syntax: "1.2.840.10008.1.2.4.204", frame: new Uint8Array(8) } });
  await expect(decodeImage({ path: file })).rejects.toThrow(
    /stream\.dcm is a DICOM file streamed as high-throughput JPEG 2000 in transfer syntax 1\.2\.840\.10008\.1\.2\.4\.204, whi/,
  );
});
