/**
 * The subject of a DICOM file: a keyed hash of the patient's id, so that files of one patient belong together and nobody
 * without the key can find the patient by trying ids.
 */
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { UserError } from "../../core/errors.ts";
import { makeFolder } from "../../core/make-folder.ts";
import { asFileError } from "../../core/system-errors.ts";
import { asFault } from "./fault.ts";
import { parseDicom } from "./parse.ts";

const PATIENT_ID = "x00100020";
const ISSUER = "x00100021";
const STUDY = "x0020000d";

/** 16 hexadecimal digits; of a file without a patient's id by its study; null where it has neither or cannot be parsed. */
export function dicomSubject(head: Uint8Array, key: () => string): string | null {
  let identity: string | null;
  try {
    identity = identityOf(head);
  } catch {
    return null; // who decodes the file says what is wrong
  }
  if (identity === null) return null;
  return `dicom-${createHmac("sha256", key()).update(identity).digest("hex").slice(0, 16)}`;
}

function identityOf(head: Uint8Array): string | null {
  const { dataSet } = parseDicom(head, true);
  return asFault("", () => {
    const id = dataSet.string(PATIENT_ID)?.trim();
    if (id) return `patient\n${dataSet.string(ISSUER)?.trim() ?? ""}\n${id}`;
    const study = dataSet.string(STUDY)?.trim();
    return study ? `study\n${study}` : null;
  });
}

/** Where the key is kept unless VIVA_SUBJECT_KEY holds it: in the user's configuration, never beside data or runs. */
export function subjectKeyFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "viva", "subject-key");
}

/** The key: VIVA_SUBJECT_KEY, else that of the file, which is made at first use and only its owner may read. Throws UserError. */
export function subjectKey(env: NodeJS.ProcessEnv = process.env): string {
  const given = env["VIVA_SUBJECT_KEY"];
  if (given !== undefined) return requireLong(given.trim(), "VIVA_SUBJECT_KEY");
  const file = subjectKeyFile(env);
  createOnce(file);
  if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0) {
    throw new UserError(
      `${file}: others can read this key, by which patients could be found: chmod 600 it, or make another`,
    );
  }
  return requireLong(readFileSync(file, "utf8").trim(), file);
}

function requireLong(key: string, where: string): string {
  if (key.length >= 16) return key;
  throw new UserError(`${where}: a key of at least 16 characters is needed, got ${key.length}`);
}

/** Written beside and linked: of two processes at once the second finds the whole key of the first. */
function createOnce(file: string): void {
  if (existsSync(file)) return;
  const beside = `${file}.${randomUUID()}.tmp`;
  try {
    makeFolder(dirname(file));
    writeFileSync(beside, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
    linkSync(beside, file);
  } catch (error) {
    if (!existsSync(file)) throw asFileError(error, { verb: "write", path: file });
  } finally {
    rmSync(beside, { force: true });
  }
}
