/** Small things that pages share: states of loading, tabs of a run, status badges, copying. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunStatus } from "../../src/ui/run-row.ts";
import { hrefOf, shownHref } from "../address.ts";
import { isBundle, thumbnailUrl } from "../source.ts";
import type { Asked } from "../use-data.ts";

/** A link within the pages. */
export function To({
  path,
  values,
  children,
  ...rest
}: {
  readonly path: readonly string[];
  readonly values?: Readonly<Record<string, string | number | null>>;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly "aria-current"?: "page";
}) {
  return (
    <a href={shownHref(hrefOf(path, values))} {...rest}>
      {children}
    </a>
  );
}

/** What `show` makes of the data once it is there. */
export function Loaded<T>({ asked, show }: { readonly asked: Asked<T>; readonly show: (value: T) => ComponentChildren }) {
  if (asked.error !== null) {
    return (
      <p class="notice" role="alert">
        {asked.error}
      </p>
    );
  }
  return asked.value === null ? <p class="muted">loading …</p> : show(asked.value);
}

const symbols: Readonly<Record<RunStatus, string>> = {
  running: "▶",
  finished: "✓",
  failed: "✗",
  stopped: "■",
  empty: "○",
};

export function Status({ status }: { readonly status: RunStatus }) {
  return (
    <span class={`badge ${status}`}>
      <span aria-hidden="true">{symbols[status]}</span> {status}
    </span>
  );
}

/** Pages of a run; those that need a server are not in a bundle. */
const tabs = [
  ["Live", ""],
  ["Rollouts", "rollouts"],
  ["Evaluation", "evaluation"],
  ["Alarms", "alarms"],
  ["Data", "data"],
  ["Checkpoints", "checkpoints"],
  ["Play", "play"],
  ["Annotate", "annotate"],
] as const;
const served: readonly string[] = ["play", "annotate"];

export function RunTabs({ run, page, name }: { readonly run: string; readonly page: string; readonly name: string }) {
  useTitle(`${page === "" ? "Run" : page} · ${name}`);
  return (
    <>
      <h1>{name}</h1>
      <nav class="tabs" aria-label="Pages of this run">
        {tabs
          .filter(([, path]) => !isBundle || !served.includes(path))
          .map(([label, path]) => (
            <To
              key={path}
              path={path === "" ? ["runs", run] : ["runs", run, path]}
              {...(path === page && { "aria-current": "page" as const })}
            >
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
  return (
    <button type="button" class="quiet" onClick={copy}>
      {done ? "copied" : label}
    </button>
  );
}
