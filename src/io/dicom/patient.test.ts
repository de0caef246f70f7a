import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { decodeImage } from "../images.ts";
import { blankedDicom } from "./blank.ts";
import { dicomSubject, subjectKey, subjectKeyFile } from "./subject.ts";

const goldens = fileURLToPath(new URL("../../../test/golden/dicom", import.meta.url));
const ct = readFileSync(join(goldens, "ct.dcm"));
const folder = mkdtempSync(join(tmpdir(), "viva-patient-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The file of another patient, or of none. */
function of(id: string): Uint8Array {
  const out = Buffer.from(ct);
  out.write(id.padEnd("CANARY-ID-4711".length), out.indexOf("CANARY-ID-4711"), "latin1");
  return out;
}

describe("dicomSubject", () => {
  const key = () => "a key of one hospital";

  it("is the same for one patient and key, and another for another", () => {
    const subject = dicomSubject(ct, key);
    expect(subject).toMatch(/^dicom-[0-9a-f]{16}$/);
    expect(dicomSubject(readFileSync(join(goldens, "rgb.dcm")), key)).toBe(subject);
    expect(dicomSubject(of("CANARY-ID-4712"), key)).not.toBe(subject);
    expect(dicomSubject(ct, () => "a key of another one")).not.toBe(subject);
    expect(dicomSubject(ct.subarray(0, 2000), key)).toBe(subject); // the pixels are not needed
  });

  it("of a file without an id is by its study, and none for what is no file", () => {
    expect(dicomSubject(of(""), key)).toMatch(/^dicom-/);
    expect(dicomSubject(of(""), key)).not.toBe(dicomSubject(ct, key));
    expect(dicomSubject(Buffer.from("hello"), key)).toBeNull();
  });
});

describe("subjectKey", () => {
  const env = { XDG_CONFIG_HOME: join(folder, "config") };

  it("is made once, for the owner alone", () => {
    const key = subjectKey(env);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(subjectKey(env)).toBe(key);
    expect(statSync(subjectKeyFile(env)).mode & 0o777).toBe(0o600);
  });

  it("is not taken from a file that others can read, nor a short one", () => {
    const file = subjectKeyFile(env);
    chmodSync(file, 0o644);
    expect(() => subjectKey(env)).toThrow(/others can read this key.*chmod 600/);
    chmodSync(file, 0o600);
    writeFileSync(file, "short");
    expect(() => subjectKey(env)).toThrow(/at least 16 characters is needed, got 5$/);
    expect(() => subjectKey({ VIVA_SUBJECT_KEY: "x" })).toThrow(/^VIVA_SUBJECT_KEY: a key of at least 16/);
    expect(subjectKey({ VIVA_SUBJECT_KEY: " 0123456789abcdef " })).toBe("0123456789abcdef");
  });
});

describe("blankedDicom", () => {
  it.each(["ct", "ct_signed_implicit", "ct_big_endian", "ct_deflated", "frames", "jpeg_lossless", "ct_without_head"])(
    "keeps the pixels of %s and nothing of the patient",
    async (name) => {
      const bytes = readFileSync(join(goldens, `${name}.dcm`));
      const blank = blankedDicom(bytes);
      expect(Buffer.from(blank).toString("latin1")).not.toMatch(/CANARY|19010101|1\.2\.826/);
      const path = name === "frames" ? "x#frame=2" : "x";
      expect((await decodeImage({ path, bytes: blank })).image).toEqual((await decodeImage({ path, bytes })).image);
    },
  );

  it("leaves other files as they are", () => {
    const png = Buffer.from("\x89PNG…", "latin1");
    expect(blankedDicom(png)).toBe(png);
  });
});
