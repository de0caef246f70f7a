/** Replies of a language model by the hash of what was asked: a file each, whole or absent, so processes may share a folder. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../core/make-folder.ts";
import { writeFileAtomic } from "./files.ts";

export interface ReplyCache {
  /** Null where the reply is not known, or its file cannot be read: then it is asked for again. */
  get(hash: string): string | null;
  set(hash: string, reply: string): void;
}

/** A cache in a folder, which is made when the first reply comes. */
export function openReplyCache(folder: string): ReplyCache {
  const place = (hash: string) => join(folder, hash.slice(0, 2), `${hash}.json`);
  return {
    get(hash) {
      if (!existsSync(place(hash))) return null;
      try {
        const { reply } = JSON.parse(readFileSync(place(hash), "utf8")) as { readonly reply?: unknown };
        return typeof reply === "string" ? reply : null;
      } catch {
        return null;
      }
    },
    set(hash, reply) {
      makeFolder(join(folder, hash.slice(0, 2)));
      writeFileAtomic(place(hash), `${JSON.stringify({ reply })}\n`);
    },
  };
}
