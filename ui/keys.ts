/** Keys of the pages: a page names what it can do, lists show it, the reader may give it another key, and none acts while somebody types. */
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

export interface Shortcut {
  /** As KeyboardEvent.key has it; "Shift+ArrowUp". */
  readonly key: string;
  /** What it does; the same words mean the same thing on every page. */
  readonly about: string;
  readonly act: () => void;
}

/** What the present page can do. */
export const shortcuts = signal<readonly Shortcut[]>([]);
/** Off by the reader's choice. */
export const keysOn = signal(localStorage.getItem("viva-keys") !== "off");
/** The reader's own keys, by what they do. */
export const ownKeys = signal(storedKeys());

export function switchKeys(on: boolean): void {
  keysOn.value = on;
  localStorage.setItem("viva-keys", on ? "on" : "off");
}

/** The key that does it now. */
export function keyOf({ key, about }: Pick<Shortcut, "key" | "about">): string {
  return ownKeys.value[about] ?? key;
}

/** Gives an action another key; null goes back to all keys as they come. Returns what has the key already, and then changes nothing. */
export function chooseKey(about: string | null, key = ""): string | null {
  const taken = about === null ? undefined : shortcuts.value.find((one) => keyOf(one) === key && one.about !== about);
  if (taken !== undefined) return taken.about;
  ownKeys.value = about === null ? {} : { ...ownKeys.value, [about]: key };
  localStorage.setItem("viva-own-keys", JSON.stringify(ownKeys.value));
  return null;
}

/** As keys are named here: Shift stands before keys that are no letters. */
export function nameOf({ key, shiftKey }: KeyboardEvent): string {
  return shiftKey && key.length > 1 ? `Shift+${key}` : key;
}

/** Adds keys while a part of the page is shown. A key acts on what was rendered last, however fast the next one comes. */
export function useKeys(own: readonly Shortcut[]): void {
  const latest = useRef(own);
  latest.current = own;
  // In the layout's turn: a key that comes as soon as a part is seen is heard.
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (!keysOn.value || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      const found = latest.current.find((one) => keyOf(one) === nameOf(event));
      if (found === undefined || document.querySelector("dialog[open]") !== null) return;
      event.preventDefault();
      found.act();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  useEffect(() => {
    const shown = own.map(({ key, about }, i) => ({ key, about, act: () => latest.current[i]?.act() }));
    shortcuts.value = [...shortcuts.value, ...shown];
    return () => {
      shortcuts.value = shortcuts.value.filter((one) => !shown.includes(one));
    };
  }, [own.map(({ key }) => key).join(" ")]);
}

/** Enter on a button is the button's. */
function isTyping({ key, target }: KeyboardEvent): boolean {
  const element = target as HTMLElement | null;
  if (key === "Enter" && element?.matches?.("button, a, summary")) return true;
  return element?.matches?.("input:not([type=checkbox]):not([type=range]):not([type=radio]), textarea, select, [contenteditable]") ?? false;
}

function storedKeys(): Readonly<Record<string, string>> {
  try {
    return JSON.parse(localStorage.getItem("viva-own-keys") ?? "{}") as Readonly<Record<string, string>>;
  } catch {
    return {};
  }
}
