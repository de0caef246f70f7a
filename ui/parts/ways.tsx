/** Small things that pages share: links, states of loading, tabs of a run, status badges, thumbnails, copying. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunStatus } from "../../src/ui/run-row.ts";
import { go, hrefOf, shownHref } from "../address.ts";
import { isBundle, type Route, thumbnailUrl, urlOf } from "../source.ts";
import type { Asked } from "../use-data.ts";
import { Button } from "./controls.tsx";

interface ToProps {
  readonly path: readonly string[];
  readonly values?: Readonly<Record<string, string | number | null>>;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly "aria-current"?: "page" | "true" | undefined;
}

/** A link within the pages. */
export function To({ path, values, children, ...rest }: ToProps) {
  return (
    <a href={shownHref(hrefOf(path, values))} {...rest}>
      {children}
    </a>
  );
}

/** The report that viva wrote beside the files, in a page of its own; a bundle has none. */
export function ReportLink({ route }: { readonly route: Route }) {
  if (isBundle) return null;
  return (
    <a href={urlOf(route)} target="_blank" rel="noreferrer">
      report
    </a>
  );
}

/** Options by their letters. */
export function Choices({ choices }: { readonly choices: readonly string[] }) {
  return choices.length > 0 && <p>{choices.map((choice, i) => `${String.fromCharCode(65 + i)}. ${choice}`).join("   ")}</p>;
}

/** Goes to what was sampled at a step. */
export function openStep(run: string, step: number): void {
  go(hrefOf(["runs", run, "rollouts"], { from: step, to: step }));
}

/** What went wrong, told at once. */
export function Problem({ text }: { readonly text: string | null }) {
  return (
    text && (
      <p class="notice" role="alert">
        {text}
      </p>
    )
  );
}

/** What `show` makes of the data once it is there. */
export function Loaded<T>({ asked, show }: { readonly asked: Asked<T>; readonly show: (value: NonNullable<T>) => ComponentChildren }) {
  if (asked.error !== null) return <Problem text={asked.error} />;
  return asked.value == null ? <p class="muted">loading …</p> : show(asked.value);
}

const symbols: Readonly<Record<RunStatus, string>> = { running: "▶", finished: "✓", failed: "✗", stopped: "■", empty: "○" };

export function Status({ status }: { readonly status: RunStatus }) {
  return (
    <span class={`badge ${status}`}>
      <span aria-hidden="true">{symbols[status]}</span> {status}
    </span>
  );
}

/** Pages of a run; those that need a server are not in a bundle. */
export const runTabs = [
  { path: "", label: "Live" },
  { path: "rollouts", label: "Rollouts" },
  { path: "evaluation", label: "Evaluation" },
  { path: "rewards", label: "Rewards" },
  { path: "alarms", label: "Alarms" },
  { path: "data", label: "Data" },
  { path: "checkpoints", label: "Checkpoints" },
  { path: "play", label: "Play", served: true },
  { path: "annotate", label: "Annotate", served: true },
].filter(({ served = false }) => !(isBundle && served));

export function RunTabs({ run, page, name, alarms }: { run: string; page: string; name: string; alarms: number }) {
  const { label } = runTabs.find(({ path }) => path === page) ?? { label: page };
  useTitle(`${alarms > 0 ? `(${alarms}) ` : ""}${label} · ${name}`);
  return (
    <>
      <h1>{name}</h1>
      <nav class="tabs" aria-label="Pages of this run">
        {runTabs.map(({ label, path }) => (
          <To key={path} path={["runs", run, path].filter(Boolean)} aria-current={path === page ? "page" : undefined}>
            {label}
          </To>
        ))}
      </nav>
    </>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · viva`;
  }, [title]);
}

/** A thumbnail, or why there is none. */
export function Thumbnail({ run, sha256, alt }: { readonly run: string; readonly sha256: string; readonly alt: string }) {
  const [url, setUrl] = useState<string | null>(null);
  const [gone, setGone] = useState(false);
  useEffect(() => {
    let left = false;
    setGone(false);
    void thumbnailUrl(run, sha256).then((found) => left || (found === null ? setGone(true) : setUrl(found)));
    return () => {
      left = true;
    };
  }, [run, sha256]);
  if (gone) return <span class="no-image">image not shown</span>;
  return url === null ? <span class="no-image" /> : <img src={url} alt={alt} loading="lazy" onError={() => setGone(true)} />;
}

/** Copies a text; says so for a moment. */
export function CopyButton({ label, text }: { readonly label: string; readonly text: () => string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {} // not allowed here; the address bar serves
  };
  return <Button class="quiet" text={done ? "copied" : label} on={() => void copy()} />;
}

/** A file that the page makes itself, saved by the browser. */
export function save(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
