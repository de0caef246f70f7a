/** The frame around every page: where one is, light or dark, the keys, and the page that the address names. */
import { type ComponentType, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { address, followLinks, go } from "./address.ts";
import { AlarmsPage } from "./pages/alarms.tsx";
import { AnnotatePage } from "./pages/annotate.tsx";
import { CheckpointsPage } from "./pages/checkpoints.tsx";
import { ComparePage } from "./pages/compare.tsx";
import { DataPage } from "./pages/data.tsx";
import { EvaluationPage } from "./pages/evaluation.tsx";
import { PlayPage } from "./pages/play.tsx";
import { RolloutsPage } from "./pages/rollouts.tsx";
import { RunPage } from "./pages/run.tsx";
import { RunsPage } from "./pages/runs.tsx";
import { StudyPage } from "./pages/study.tsx";
import { Help } from "./parts/help.tsx";
import { To } from "./parts/ways.tsx";
import { isBundle } from "./source.ts";
import "./style.css";

/** Pages below /runs/ID by the part that follows. */
const runPages: Readonly<Record<string, ComponentType<{ readonly run: string }>>> = {
  "": RunPage,
  rollouts: RolloutsPage,
  evaluation: EvaluationPage,
  alarms: AlarmsPage,
  data: DataPage,
  checkpoints: CheckpointsPage,
  play: PlayPage,
  annotate: AnnotatePage,
};

function App() {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <header class="top">
        <To path={[]} class="home">
          viva
        </To>
        <span class="muted">{isBundle ? "static bundle" : "runs on this machine"}</span>
        <span class="space" />
        <ThemeButton />
        <Help />
      </header>
      <main id="main" tabIndex={-1}>
        <Page />
      </main>
      <footer>Research use only: viva and the models it trains are not medical devices.</footer>
    </>
  );
}

function Page() {
  const [kind, id, page = ""] = address.value.path;
  if (kind === undefined) return <RunsPage />;
  if (kind === "runs" && id !== undefined) {
    const Known = runPages[page];
    if (Known !== undefined) return <Known run={id} key={id} />;
  }
  if (kind === "compare" && id !== undefined) return <ComparePage names={id} key={id} />;
  if (kind === "studies" && id !== undefined) return <StudyPage study={id} key={id} />;
  return (
    <>
      <h1>There is no such page</h1>
      <p>
        <To path={[]}>All runs</To>
      </p>
    </>
  );
}

const themes = ["auto", "light", "dark"] as const;

function ThemeButton() {
  const [theme, setTheme] = useState(localStorage.getItem("viva-theme") ?? "auto");
  useEffect(() => {
    localStorage.setItem("viva-theme", theme);
    if (theme === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  const next = themes[(themes.indexOf(theme as (typeof themes)[number]) + 1) % themes.length]!;
  return (
    <button type="button" class="quiet" onClick={() => setTheme(next)} aria-label={`Colours: ${theme}; change to ${next}`}>
      {theme}
    </button>
  );
}

/** The token of an address beyond this machine opens a session and leaves the address. */
async function openSession(): Promise<void> {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token === undefined || isBundle) return;
  const headers = { "content-type": "application/json", "x-viva": "1" };
  await fetch("/api/session", { method: "POST", headers, body: JSON.stringify({ token }) });
  go(location.pathname + location.search, { replace: true });
}

followLinks();
void openSession().then(() => render(<App />, document.getElementById("app")!));
