/** The address is the page's whole state: path and values behind the "?". A bundle keeps both behind a "#". */
import { signal } from "@preact/signals";
import { isBundle } from "./source.ts";

export interface Address {
  /** Parts of the path. */
  readonly path: readonly string[];
  readonly values: Readonly<Record<string, string>>;
}

export const address = signal<Address>(current());

/** Goes to an address; `replace` leaves no entry to come back to. */
export function go(to: string, { replace = false } = {}): void {
  const url = isBundle ? `#${to}` : to;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  address.value = current();
}

/** Changes values of the present address; null takes one away. */
export function setValues(changes: Readonly<Record<string, string | number | null>>, o = { replace: true }): void {
  const { path, values } = address.value;
  go(hrefOf(path, { ...values, ...changes }), o);
}

/** An address as text; values that are null or empty are left out. */
export function hrefOf(path: readonly string[], values: Readonly<Record<string, string | number | null>> = {}): string {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `/${path.map(encodeURIComponent).join("/")}${query === "" ? "" : `?${query.replaceAll("%2C", ",")}`}`;
}

/** What the browser shows for a link. */
export function shownHref(to: string): string {
  return isBundle ? `#${to}` : to;
}

/** Follows plain clicks on links within the pages, and the browser's own going back. */
export function followLinks(): void {
  window.addEventListener("popstate", () => {
    address.value = current();
  });
  document.addEventListener("click", (event) => {
    const link = (event.target as Element | null)?.closest?.("a");
    const href = link?.getAttribute("href");
    if (href == null || link!.hasAttribute("download") || link!.target !== "") return;
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.defaultPrevented;
    const to = isBundle && href.startsWith("#/") ? href.slice(1) : href;
    if (!plain || !to.startsWith("/") || to.startsWith("/api/")) return;
    event.preventDefault();
    go(to);
    document.querySelector("main")?.focus();
    window.scrollTo(0, 0);
  });
}

function current(): Address {
  const text = isBundle ? location.hash.replace(/^#/, "") || "/" : location.pathname + location.search;
  const url = new URL(text, "http://x");
  const path = url.pathname.split("/").filter((part) => part !== "");
  return { path: path.map(decodeURIComponent), values: Object.fromEntries(url.searchParams) };
}
