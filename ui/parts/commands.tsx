/** What can be done here: the keys of the page behind "?", where each can be given another, and the palette behind Ctrl-K. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { RunRow } from "../../src/ui/run-row.ts";
import { address, go, hrefOf } from "../address.ts";
import { chooseKey, keyOf, keysOn, nameOf, ownKeys, shortcuts, switchKeys } from "../keys.ts";
import { read } from "../source.ts";
import { Button, Check } from "./controls.tsx";
import { runTabs } from "./ways.tsx";

export function Commands() {
  const help = useRef<HTMLDialogElement>(null);
  const palette = useRef<HTMLDialogElement>(null);
  const [opened, setOpened] = useState(0);
  const openPalette = () => {
    setOpened((n) => n + 1);
    palette.current?.showModal();
  };
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement | null)?.matches?.("input, textarea, select") ?? false;
      if (document.querySelector("dialog[open]") !== null) return;
      if (event.key === "?" && keysOn.value && !typing) help.current?.showModal();
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      openPalette();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  return (
    <>
      <Button class="quiet" text="commands" title="Ctrl-K" on={openPalette} />
      <Button class="quiet" text="?" on={() => help.current?.showModal()} aria-label="Keys of this page" />
      <dialog ref={palette} aria-label="Go to or do something">
        {opened > 0 && <Palette key={opened} close={() => palette.current?.close()} />}
      </dialog>
      <dialog ref={help} aria-labelledby="keys-title">
        <h2 id="keys-title">Keys</h2>
        <KeyList />
        <Check label="keys are on" checked={keysOn.value} on={switchKeys} />
        <form method="dialog" class="buttons">
          {Object.keys(ownKeys.value).length > 0 && <Button text="All keys as they come" on={() => void chooseKey(null)} />}
          <button type="submit">Close</button>
        </form>
      </dialog>
    </>
  );
}

/** A press on a key waits for the one that shall take its place. */
function KeyList() {
  const [waiting, setWaiting] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const own = shortcuts.value.filter(({ about }, i, all) => all.findIndex((one) => one.about === about) === i);
  const take = (about: string) => (event: KeyboardEvent) => {
    if (waiting !== about || ["Shift", "Control", "Alt", "Meta", "Tab", "Escape", "?"].includes(event.key)) return;
    event.preventDefault();
    const taken = chooseKey(about, nameOf(event));
    setProblem(taken === null ? "" : `${nameOf(event)} is taken: ${taken}`);
    setWaiting(null);
  };
  return (
    <>
      <p class="muted">Press a key of the list to give what it does another one. {problem !== "" && <b role="alert">{problem}</b>}</p>
      <ul class="keys">
        {own.map((one) => (
          <li key={one.about}>
            <button
              type="button"
              class="quiet"
              aria-label={`${one.about}: ${keyOf(one)}, change`}
              onClick={() => setWaiting(one.about)}
              onBlur={() => setWaiting(null)}
              onKeyDown={take(one.about)}
            >
              <kbd>{waiting === one.about ? "press …" : keyOf(one)}</kbd>
            </button>{" "}
            {one.about}
          </li>
        ))}
      </ul>
    </>
  );
}

interface Command {
  readonly name: string;
  readonly act: () => void;
}

const MOST = 12;

/** Actions of the page, pages of the run, and all runs, by words; Enter takes the chosen one, or the first that comes. */
function Palette({ close }: { readonly close: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [runs, setRuns] = useState<readonly RunRow[] | null>(null); // null: not read yet
  const [entered, setEntered] = useState(false); // Enter was pressed before anything was found
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []); // the dialog was shown before it was there
  useEffect(() => {
    const failed = (problem: unknown) => {
      console.warn(problem);
      setRuns([]);
    };
    void read<{ runs: readonly RunRow[] }>(["runs"]).then(({ runs }) => setRuns(runs), failed);
  }, []);
  const [kind, run] = address.value.path;
  const to = (name: string, path: readonly string[]): Command => ({ name, act: () => go(hrefOf(path)) });
  const all: readonly Command[] = [
    ...shortcuts.value.map((one) => ({ name: `${one.about} (${keyOf(one)})`, act: one.act })),
    ...(kind === "runs" && run !== undefined
      ? runTabs.map(({ path, label }) => to(`page: ${label}`, ["runs", run, path].filter(Boolean)))
      : []),
    to("all runs", []),
    ...(runs ?? []).map(({ id, path }) => to(`run: ${path}`, ["runs", id])),
  ];
  const words = text.toLowerCase().split(/\s+/);
  const found = all.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word))).slice(0, MOST);
  const take = (command: Command) => {
    close();
    command.act();
  };
  const chosen = found[at];
  useEffect(() => {
    if (entered && chosen !== undefined) take(chosen);
  }, [entered, chosen?.name]);
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Enter") setEntered(chosen !== undefined || runs === null);
    else if (by !== 0) setAt((at + by + found.length) % Math.max(1, found.length));
    if (by !== 0 || event.key === "Enter") event.preventDefault();
  };
  const search = (event: { readonly currentTarget: HTMLInputElement }) => {
    setText(event.currentTarget.value);
    setAt(0);
    setEntered(false);
  };
  return (
    <>
      <input
        type="search"
        ref={field}
        aria-label="words of what to do"
        placeholder="what to do, or where to go"
        onInput={search}
        onKeyDown={move}
      />
      <ul class="commands" aria-live="polite">
        {found.map((command, i) => (
          <li key={command.name}>
            <Button class="quiet" pressed={i === at} text={command.name} on={() => take(command)} />
          </li>
        ))}
      </ul>
    </>
  );
}
