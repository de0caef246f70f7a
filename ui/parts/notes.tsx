/** What people say of a run, kept in its folder: tags, and what was done about alarms. */
import { useState } from "preact/hooks";
import { messageOf } from "../../src/core/errors.ts";
import { tagMatter, tagsIn } from "../../src/ui/matters.ts";
import { isBundle, send } from "../source.ts";
import type { OfRun } from "../use-data.ts";
import { Button } from "./controls.tsx";
import { Problem } from "./ways.tsx";

/** Writes a note on a matter, or with null takes it back; the problem is a sentence. */
export function useNotes({ id, again }: Pick<OfRun, "id" | "again">) {
  const [problem, setProblem] = useState<string | null>(null);
  const say = (about: string, note: string | null) => {
    const failed = (error: unknown) => setProblem(messageOf(error));
    void send(["runs", id, "notes"], { about, note })
      .then(again)
      .then(() => setProblem(null), failed);
  };
  return { say, problem };
}

export function Tags({ id, run, again }: OfRun) {
  const { say, problem } = useNotes({ id, again });
  const add = (event: { readonly currentTarget: HTMLInputElement }) => {
    const tag = event.currentTarget.value.trim().replaceAll(/\s+/g, "-");
    event.currentTarget.value = "";
    if (tag !== "") say(tagMatter(tag), "");
  };
  const tags = tagsIn(run.notes);
  if (isBundle)
    return tags.length === 0 ? null : (
      <p class="chips">
        {tags.map((tag) => (
          <span key={tag}>{tag}</span>
        ))}
      </p>
    );
  return (
    <>
      <p class="facts">
        {tags.map((tag) => (
          <Button key={tag} text={`${tag} ×`} aria-label={`take the tag ${tag} away`} on={() => say(tagMatter(tag), null)} />
        ))}
        <label>
          tag <input size={12} maxLength={40} onChange={add} />
        </label>
      </p>
      <Problem text={problem} />
    </>
  );
}
