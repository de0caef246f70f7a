/** Keys of the pages: a page names what it can do, the list shows it, and none acts while somebody types. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

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

/** Adds keys while a part of the page is shown. */
export function useKeys(own: readonly Shortcut[]): void {
  useEffect(() => {
    shortcuts.value = [...shortcuts.value, ...own];
    const listen = (event: KeyboardEvent) => {
      if (!keysOn.value || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      const name = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
      const found = own.find(({ key }) => key === name);
      if (found === undefined) return;
      event.preventDefault();
      found.act();
    };
    window.addEventListener("keydown", listen);
    return () => {
      window.removeEventListener("keydown", listen);
      shortcuts.value = shortcuts.value.filter((one) => !own.includes(one));
    };
  });
}

function isTyping({ target }: KeyboardEvent): boolean {
  const element = target as HTMLElement | null;
  return element?.matches?.("input:not([type=checkbox]):not([type=range]):not([type=radio]), textarea, select, [contenteditable]") ?? false;
}
