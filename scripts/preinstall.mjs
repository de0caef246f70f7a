/**
 * Runs when npm installs the package. onnxruntime-node's own install script downloads CUDA libraries of some 300 MB from
 * a server that is no npm registry, and fails where that cannot be reached; viva computes on the CPU without them. The
 * script leaves alone what it finds, so this puts a note where each library would be. npm runs the preinstall scripts of all
 * packages before any postinstall. Never fails: without it the installation is what it would have been.
 */
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const note = `Not installed. For CUDA: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node
`;

try {
  const asked = process.env.ONNXRUNTIME_NODE_INSTALL ?? process.env.ONNXRUNTIME_NODE_INSTALL_CUDA;
  if (asked === undefined) leaveNotes();
} catch {}

function leaveNotes() {
  const require = createRequire(import.meta.url);
  const root = dirname(require.resolve("onnxruntime-node/package.json"));
  const { requirements, manifests } = require("onnxruntime-node/script/install-metadata.js");
  const platform = `${process.platform}/${process.arch}`;
  for (const name of requirements[platform] ?? []) {
    for (const file of Object.keys(manifests[`${platform}:${name}`] ?? {})) {
      const path = join(root, "bin/napi-v6", platform, file);
      if (!existsSync(path)) writeFileSync(path, note);
    }
  }
}
