/** The frame around every page: where one is, light or dark, the keys, and the page that the address names. */
import { type ComponentType, render } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { address, followLinks, go, hrefOf } from "./address.ts";
import { useKeys } from "./keys.ts";
import { AlarmsPage, Announcer } from "./pages/alarms.tsx";
import { AnnotatePage } from "./pages/annotate.tsx";
import { CheckpointsPage } from "./pages/checkpoints.tsx";
import { ComparePage } from "./pages/compare.tsx";
import { DataPage } from "./pages/data.tsx";
import { EvaluationPage } from "./pages/evaluation.tsx";
import { LivePage } from "./pages/live.tsx";
import { PlayPage } from "./pages/play.tsx";
import { RewardsPage } from "./pages/rewards.tsx";
import { RolloutsPage } from "./pages/rollouts.tsx";
import { RunsPage } from "./pages/runs.tsx";
import { StudyPage } from "./pages/study.tsx";
import { Commands } from "./parts/commands.tsx";
import { Button } from "./parts/controls.tsx";
import { Loaded, RunTabs, To } from "./parts/ways.tsx";
import { isBundle, send } from "./source.ts";
import { type OfRun, useRun } from "./use-data.ts";
import "./style.css";

/** Pages below /runs/ID by the part that follows; `runTabs` names them. */
const runPages: Readonly<Record<string, ComponentType<OfRun>>> = {
  "": LivePage,
  rollouts: RolloutsPage,
  evaluation: EvaluationPage,
  rewards: RewardsPage,
  alarms: AlarmsPage,
  data: DataPage,
  checkpoints: CheckpointsPage,
  play: PlayPage,
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
        <Commands />
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
  if (kind === "runs" && id !== undefined && page === "annotate") return <AnnotatePage run={id} key={id} />;
  if (kind === "runs" && id !== undefined && runPages[page] !== undefined) return <OneRun id={id} page={page} key={id} />;
  if (kind === "compare" && id !== undefined) return <ComparePage names={id} key={id} />;
  if (kind === "studies" && id !== undefined) return <StudyPage study={id} key={id} />;
  return (
    <>
      <h1>There is no such page</h1>
      <To path={[]}>All runs</To>
    </>
  );
}

/** What all pages of a run have: its name, the tabs, and its alarms as they ring. Blind annotation has none of it. */
function OneRun({ id, page }: { readonly id: string; readonly page: string }) {
  const asked = useRun(id);
  const Shown = runPages[page]!;
  const { row, alarms = [], events = [], evaluations = [] } = asked.value ?? {};
  const steps = evaluations.map(({ step }) => step);
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const compare = {
    key: "c",
    about: "compare the last evaluation with the first",
    act: () => go(hrefOf(["compare", `${id}@${first}+${id}@${last}`])),
  };
  useKeys(first < last && page !== "evaluation" ? [compare] : []);
  return (
    <>
      <RunTabs run={id} page={page} name={row?.path ?? id} alarms={alarms.length} />
      <Announcer events={events} />
      <Loaded asked={asked} show={(run) => <Shown id={id} run={run} again={asked.again} />} />
    </>
  );
}

const themes = ["auto", "light", "dark"] as const;
const isDark = matchMedia("(prefers-color-scheme: dark)");

function ThemeButton() {
  const [theme, setTheme] = useState(localStorage.getItem("viva-theme") ?? "auto");
  useLayoutEffect(() => {
    localStorage.setItem("viva-theme", theme);
    const show = () => {
      document.documentElement.dataset["theme"] = theme === "auto" ? (isDark.matches ? "dark" : "light") : theme;
    };
    show();
    isDark.addEventListener("change", show);
    return () => isDark.removeEventListener("change", show);
  }, [theme]);
  const next = themes[(themes.indexOf(theme as (typeof themes)[number]) + 1) % themes.length]!;
  return <Button class="quiet" text={theme} on={() => setTheme(next)} aria-label={`Colours: ${theme}; change to ${next}`} />;
}

/** The token of an address beyond this machine opens a session and leaves the address. */
async function openSession(): Promise<void> {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token === undefined || isBundle) return;
  await send(["session"], { token }).catch(() => {}); // the pages say that they may not be seen
  go(location.pathname + location.search, { replace: true });
}

followLinks();
void openSession().then(() => render(<App />, document.getElementById("app")!));
