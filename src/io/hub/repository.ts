/** Names of repositories, revisions and files on the Hub. All become paths in the cache, so that none may lead out of it. */
import { join } from "node:path";
import { UserError } from "../../core/errors.ts";
import { HUB } from "../../core/named-paths.ts";

export interface Repository {
  readonly type: "model" | "dataset";
  /** "org/name". */
  readonly name: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

/** "org/name" or "org/name@revision", or null for a text that is no id: what is spelled as a path is none. */
export function parseRepositoryId(text: string): { readonly name: string; readonly revision: string | null } | null {
  const [, name, , revision] = /^([^/@]+\/[^/@]+)(@(.*))?$/s.exec(text) ?? [];
  if (name === undefined || !name.split("/").every(isNamePart)) return null;
  if (revision !== undefined && !isRevision(revision)) return null;
  return { name, revision: revision ?? null };
}

/** The id in "hf:org/name" or "hf:org/name@revision"; null for what is not written so, or no id. */
export function parseHubName(text: string): ReturnType<typeof parseRepositoryId> {
  return text.startsWith(HUB) ? parseRepositoryId(text.slice(HUB.length)) : null;
}

/** A branch, tag or commit: a relative path without steps upwards, as it names a file below refs/. */
export function isRevision(text: string): boolean {
  return text.length <= 250 && isSafePath(text);
}

export function isCommit(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{40}$/.test(text);
}

/**
 * Whether a file name of a repository stays inside the folder it is joined to, on Linux, macOS and Windows alike: no
 * step upwards, no root, no drive, no stream, no control character.
 */
export function isSafePath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (path.length > 4096 || /[\u0000-\u001f\u007f\\:]/.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The folder of a repository in the cache: models--org--name, datasets--org--name. */
export function repositoryFolder(cache: string, { type, name }: Repository): string {
  return join(cache, [`${type}s`, ...name.split("/")].join("--"));
}

/** "model org/name", with the revision where it is not the usual one. */
export function describeRepository({ type, name, revision }: Repository): string {
  return `${type === "model" ? "model" : "data set"} ${name}${revision === "main" ? "" : ` (revision ${revision})`}`;
}

/** The repository an id stands for; the revision may stand in the id or beside it, not in both. */
export function openRepositoryId(type: Repository["type"], id: string, revision: string | null): Repository {
  const parsed = parseRepositoryId(id);
  if (parsed === null) throw new Error(`openRepositoryId: "${id}" is no id`);
  if (revision !== null && parsed.revision !== null && revision !== parsed.revision) {
    throw new UserError(`${id} names a revision, and revision ${revision} is given beside it: keep one of them`);
  }
  const chosen = revision ?? parsed.revision ?? "main";
  if (!isRevision(chosen)) throw new UserError(`${parsed.name}: "${chosen}" is no name of a branch, tag or commit`);
  return { type, name: parsed.name, revision: chosen };
}

/** The Hub's own rule (validate_repo_id of huggingface_hub); "--" separates the parts in the cache. */
function isNamePart(part: string): boolean {
  return part.length <= 96 && /^[A-Za-z0-9_]([\w.-]*[A-Za-z0-9_])?$/.test(part) && !/--|\.\.|\.git$/.test(part);
}
