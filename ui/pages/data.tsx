/** The data of a run as its record shows it: images, answers, and what evaluation shares with training. */
import type { Interval } from "../../src/runs/statistics-records.ts";
import type { DataSummary } from "../../src/ui/data-summary.ts";
import { intervalText, wholePercent } from "../format.ts";
import { Table } from "../parts/controls.tsx";
import { LookAlikes } from "../parts/look-alikes.tsx";
import { Loaded, Thumbnail } from "../parts/ways.tsx";
import { type OfRun, useAnswer } from "../use-data.ts";

export function DataPage({ id }: OfRun) {
  const asked = useAnswer<DataSummary>(["runs", id, "data"]);
  return <Loaded asked={asked} show={(data) => <Summary id={id} data={data} />} />;
}

function Summary({ id, data }: { readonly id: string; readonly data: DataSummary }) {
  return (
    <>
      <p class="facts">
        <span>
          <b>{data.examples}</b> questions in {data.groups} groups
        </span>
        <span>
          <b>{data.subjects}</b> subjects
        </span>
        <span>
          <b>{data.imageCount}</b> images
        </span>
      </p>
      <Shared data={data} />
      <LookAlikes id={id} />
      {data.priors.length > 0 && <h2>Answers by question type</h2>}
      <div class="charts">
        {data.priors.map(({ type, n, answers }) => (
          <div class="panel" key={type}>
            <Table
              caption
              label={`${type || "all"}: ${n} questions; always the first answer would be right for ${wholePercent((answers[0]?.count ?? 0) / n)}`}
              head={["answer", "questions", "share"]}
              rows={answers.map(({ answer, count }) => ({
                key: answer,
                cells: [answer, count, wholePercent(count / n)],
              }))}
            />
          </div>
        ))}
      </div>
      {data.images.length > 0 && (
        <>
          <h2>Images that were sampled on</h2>
          <p class="muted">
            {data.sizes
              .slice(0, 6)
              .map(({ size, count }) => `${count} of ${size}`)
              .join(", ")}
            {data.images.length < data.imageCount && `; the first ${data.images.length} are shown`}
          </p>
          <div class="grid">
            {data.images.map(({ sha256, name, width, height }) => (
              <figure key={sha256}>
                <Thumbnail run={id} sha256={sha256} alt={`${name}, ${width} × ${height}`} />
                <figcaption>{name}</figcaption>
              </figure>
            ))}
          </div>
        </>
      )}
    </>
  );
}

/** What the record knows of leaks. */
function Shared({ data: { shared, overlap, events } }: { readonly data: DataSummary }) {
  const unshared = (overlap as { readonly unshared?: Interval | null } | null)?.unshared ?? null;
  return (
    <>
      <h2>Shared between training and evaluation</h2>
      {shared === null ? (
        <p>The run was not evaluated.</p>
      ) : shared.questions === 0 ? (
        <p>No subject of the last evaluation's {shared.of} questions was sampled on.</p>
      ) : (
        <p class="notice">
          {shared.questions} of {shared.of} evaluated questions are about {shared.subjects} subjects that were sampled on (
          {shared.first.join(", ")}).
          {unshared !== null && ` On the others accuracy is ${intervalText(unshared)}.`}
        </p>
      )}
      {events.length > 0 && (
        <details>
          <summary>{events.length} events about the data</summary>
          <pre tabIndex={0}>{events.map((event) => JSON.stringify(event)).join("\n")}</pre>
        </details>
      )}
    </>
  );
}
