/** What is searched of a group, by the server and by the pages of a bundle: question, answer and completions. */

/** In lower case, a text each line; empty for no group. */
export function groupText(record: Readonly<Record<string, unknown>> | null): string {
  if (record === null) return "";
  const completions = Array.isArray(record["completions"]) ? (record["completions"] as readonly unknown[]) : [];
  const texts = completions.map((one) => (one as { readonly text?: unknown } | null)?.text);
  return [record["question"], record["answer"], ...texts].map((text) => String(text ?? "").toLowerCase()).join("\n");
}
