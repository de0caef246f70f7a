/** Keys of the pages: a page names what it can do, the list shows it, and none acts while somebody types. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export interface Shortcut {
  /** As KeyboardEvent.key has it; "Shift+ArrowUp". */
  readonly key: string;
  readonly about: string;
  readonly act: () => void;
}

/** What the present page knows, for the list behind "?". */
export const shortcuts = signal<readonly Shortcut[]>([]);
/** Off by the reader's choice. */
export const keysOn = signal(localStorage.getItem("viva-keys") !== "off");

export function switchKeys(on: boolean): void {
  keysOn.value = on;
  localStorage.setItem("viva-keys", on ? "on" : "off");
}

/** Adds keys while a part of the page is shown. A key acts on what was rendered last, however fast the next one comes. */
export function useKeys(own: readonly Shortcut[]): void {
  const latest = useRef(own);
  latest.current = own;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (!keysOn.value || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      const name = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
      const found = latest.current.find(({ key }) => key === name);
      if (found === undefined) return;
      event.preventDefault();
      found.act();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  useEffect(() => {
    shortcuts.value = [...shortcuts.value, ...own];
    return () => {
      shortcuts.value = shortcuts.value.filter((one) => !own.includes(one));
    };
  }, [own.map(({ key }) => key).join(" ")]);
}

/** Enter on a button is the button's. */
function isTyping({ key, target }: KeyboardEvent): boolean {
  const element = target as HTMLElement | null;
  if (key === "Enter" && element?.matches?.("button, a, summary")) return true;
  return element?.matches?.("input:not([type=checkbox]):not([type=range]):not([type=radio]), textarea, select, [contenteditable]") ?? false;
}
