/** Rules that rephrase a question without changing its meaning; docs/probes/paraphrase.md lists them. */

/** The first matching rule applies: a pattern over the whole question and its replacement. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/^does (?:this|the) (?:image|picture|scan|film) (?:show|contain|have) (.+)\?$/i, "Can $1 be seen in this image?"],
  [/^can (.+) be (?:seen|observed) in (?:this|the) (?:image|picture)\?$/i, "Does this image show $1?"],
  [/^is there (?:any )?evidence of (.+?)(?: in (?:this|the) (?:image|picture))?\?$/i, "Does this image show $1?"],
  [/^(?:is|are) there (.+?) (?:present )?in (?:this|the) (?:image|picture)\?$/i, "Does this image show $1?"],
  [/^(?:is|are) there ((?:an?|any) [^,?]+?)(?: present)?\?$/i, "Does this image show $1?"],
  [/^is (an? [^,?]+?) present\?$/i, "Is there $1?"],
  [/^(?:is|does) this image (?:look )?normal\?$/i, "Would you call this image normal?"],
  [/^is this image abnormal\?$/i, "Would you call this image abnormal?"],
  [
    /^is this an? (axial|coronal|sagittal|transverse) (?:image|plane|section|slice)\?$/i,
    "Is the plane of this image $1?",
  ],
  [/^is this a study of the (.+)\?$/i, "Does this study show the $1?"],
  [/^is the (heart|liver|spleen|brain|lung) (?:enlarged)\?$/i, "Is there an enlargement of the $1?"],
  [/^is the ([a-z]+) (?:healthy|normal)\?$/i, "Does the $1 look normal?"],
  [/^does the ([a-z]+) look (?:abnormal)\?$/i, "Is the $1 abnormal?"],
  [/^is the ([a-z]+) abnormal\?$/i, "Does the $1 look abnormal?"],
  [/^is the (.+) in the (.+) (zone|lobe|part of the lung)\?$/i, "Does the $1 lie in the $2 $3?"],
  [/^is the (.+) on the (left|right)\?$/i, "Does the $1 lie on the $2?"],
  [/^on which side is the (.+)\?$/i, "Which side shows the $1?"],
  [/^which side shows the (.+)\?$/i, "On which side is the $1?"],
  [/^which side has the (larger|smaller) (.+)\?$/i, "On which side is the $1 $2?"],
  [
    /^where (?:is|are|is\/are) the (.+?)\s*(?:located)?(?: in (?:this|the) (?:image|picture))?\?$/i,
    "What is the location of the $1?",
  ],
  [/^what is the location of the (.+)\?$/i, "Where is the $1 located?"],
  [
    /^how many (.+?) are (?:there|shown)(?: in (?:this|the) (?:image|picture))?\?$/i,
    "What is the number of $1 in this image?",
  ],
  [/^how many ([a-z]+) in (?:this|the) image\?$/i, "What is the number of $1 in this image?"],
  [/^what is the number of (.+)\?$/i, "How many $1 are there?"],
  [
    /^(?:what|which) (?:type of )?(?:imaging |image )?modality (?:was |is )?(?:used|shown)\b.*\?$/i,
    "How was this image taken?",
  ],
  [/^how was this image taken\?$/i, "Which imaging modality was used?"],
  [
    /^(?:what is the (?:scanning )?plane of this image|(?:in )?(?:what|which) (?:scanning )?plane (?:is|does) this image.*)\?$/i,
    "Which plane does this image show?",
  ],
  [
    /^(?:what|which) part of the body (?:is shown|does this image (?:show|belong to))\?$/i,
    "What region does this image show?",
  ],
  [/^what region does this image show\?$/i, "Which part of the body is shown?"],
  [/^what diseases are included in the picture\?$/i, "Which diseases does this picture show?"],
  [
    /^what is the (largest|main|biggest) organ in (?:this|the) (?:image|picture)\?$/i,
    "Which organ in this image is the $1 one?",
  ],
  [
    /^(?:which|what) organ system is (?:imaged|pictured|visualized|shown)\?$/i,
    "Which organ system does this image show?",
  ],
  [/^what is the (?:most likely )?finding on this (.+)\?$/i, "Which finding does this $1 most likely show?"],
  [/^what abnormality does this (.+) show\?$/i, "Which abnormality can be seen on this $1?"],
  [/^which mr sequence is this\?$/i, "With which MR sequence was this image made?"],
];

/** The rephrased question; null if no rule matches. */
export function paraphrase(question: string): string | null {
  const text = question
    .trim()
    .replace(/\s+/g, " ")
    .replace(/\s+\?$/, "?");
  for (const [pattern, becomes] of RULES) {
    if (!pattern.test(text)) continue;
    const changed = text.replace(pattern, becomes);
    return changed.toLowerCase() === text.toLowerCase() ? null : changed;
  }
  return null;
}
