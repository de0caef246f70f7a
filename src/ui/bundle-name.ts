/** The file of a bundle that holds the answer of a path; the pages and the writer of bundles share it. */

/** "/api/runs/x/groups/120/3" and its neighbours are in "runs_x_groups_120.js". */
export function bundleName(path: string): string {
  const shared = path.replace(/(\/groups\/\d+)\/[^/]+$/, "$1");
  return `${shared.slice("/api/".length).replaceAll(/[^A-Za-z0-9_.-]/g, "_")}.js`;
}
