/** What probes found of a run: reasoning and bias, each measure with its interval. */
import type { ShownProbes } from "../../src/ui/probes.ts";
import { useAnswer } from "../use-data.ts";
import { Table } from "./controls.tsx";
import { Loaded } from "./ways.tsx";

export function Probes({ id, folder }: { readonly id: string; readonly folder: string }) {
  const asked = useAnswer<readonly ShownProbes[]>(["runs", id, "probes"]);
  const how = `viva probe ${folder} --data … --out ${folder}/probes.json`;
  const show = (files: readonly ShownProbes[]) =>
    files.length === 0 ? (
      <p class="muted">
        None yet: <code>{how}</code> asks, and its results appear here.
      </p>
    ) : (
      files.map((file) => <File key={file.file} {...file} />)
    );
  return (
    <>
      <h2>Probes</h2>
      <Loaded asked={asked} show={show} />
    </>
  );
}

function File({ file, protocol, subject, probes }: ShownProbes) {
  const asked = probes.filter(({ skipped }) => skipped === null);
  const skipped = probes.filter((probe) => probe.skipped !== null);
  return (
    <>
      <p class="muted">
        {file}: {subject}, protocol {protocol}
      </p>
      {asked.map(({ probe, about, title, rows }) => (
        <details key={probe} open={asked.length < 4}>
          <summary>
            {title} <small>{about}</small>
          </summary>
          <Table
            label={title}
            head={["measure", "condition", "n", "% or number [95 % interval]"]}
            rows={rows.map((cells, i) => ({ key: i, cells }))}
          />
        </details>
      ))}
      {skipped.length > 0 && (
        <details>
          <summary>{skipped.length} not applicable</summary>
          <ul>
            {skipped.map(({ probe, skipped }) => (
              <li key={probe}>
                {probe}: {skipped}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
