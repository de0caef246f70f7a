/** What people say of a run, kept in its folder with their names: tags, and what was done about alarms. */
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { messageOf } from "../../src/core/errors.ts";
import { tagMatter, tagsIn } from "../../src/ui/matters.ts";
import { signature } from "../format.ts";
import { isBundle, send } from "../source.ts";
import type { OfRun } from "../use-data.ts";
import { Button, Field } from "./controls.tsx";
import { Problem } from "./ways.tsx";

/** The reader's, under which marks and notes are kept; remembered by the browser. */
export const ownName = signal(localStorage.getItem("viva-name") ?? "");

/** Keeps a name in the form that a file's can have, and returns that: "Dr A" is dr-a. */
export function nameSelf(name: string): string {
  const letters = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  ownName.value = letters.replaceAll(/^-|-$/g, "");
  localStorage.setItem("viva-name", ownName.value);
  return ownName.value;
}

export function OwnName() {
  return <Field label="your name" value={ownName.value} maxLength={40} on={nameSelf} />;
}

/** Writes a note on a matter, or with null takes it back; the problem is a sentence. */
export function useNotes({ id, again }: Pick<OfRun, "id" | "again">) {
  const [problem, setProblem] = useState<string | null>(null);
  const say = (about: string, note: string | null) => {
    if (ownName.value === "") return setProblem("say your name first: it is kept with what you say");
    const failed = (error: unknown) => setProblem(messageOf(error));
    void send(["runs", id, "notes"], { about, note, by: ownName.value })
      .then(again)
      .then(() => setProblem(null), failed);
  };
  return { say, problem };
}

interface SaidProps {
  readonly label: string;
  readonly button: string;
  /** Letters. */
  readonly most: number;
  readonly value?: string;
  readonly on: (text: string) => void;
}

/** A text that is said by Enter or by its button; it stays until it is kept. */
export function Said({ label, button, most, value = "", on }: SaidProps) {
  return (
    <form
      class="facts"
      onSubmit={(event) => {
        event.preventDefault();
        on(String(new FormData(event.currentTarget).get("text")).trim());
      }}
    >
      <Field label={label} name="text" maxLength={most} defaultValue={value} />
      <button type="submit">{button}</button>
    </form>
  );
}

export function Tags({ id, run, again }: OfRun) {
  const { say, problem } = useNotes({ id, again });
  const add = (given: string) => {
    const tag = given.replaceAll(/\s+/g, "-");
    if (tag !== "") say(tagMatter(tag), "");
  };
  const tags = tagsIn(run.notes);
  return (
    <>
      <div class="facts">
        {tags.map((tag) => (
          <span key={tag}>
            {isBundle ? (
              <b>{tag}</b>
            ) : (
              <Button text={`${tag} ×`} aria-label={`take the tag ${tag} away`} on={() => say(tagMatter(tag), null)} />
            )}{" "}
            <small>{signature(run.notes[tagMatter(tag)]!)}</small>
          </span>
        ))}
        {!isBundle && (
          <>
            <Said key={tags.join(" ")} label="tag" button="Add" most={40} on={add} />
            <OwnName />
          </>
        )}
      </div>
      <Problem text={problem} />
    </>
  );
}
