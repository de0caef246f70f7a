/** The wordings of generated answers: names in <…> are filled in; each list says one thing. */

export const FINDINGS = split(
  "pneumonia|pleural effusion|pneumothorax|cardiomegaly|pulmonary edema|rib fracture|atelectasis|lung nodule|" +
    "hiatal hernia|aortic aneurysm|hepatitis|emphysema",
);
export const ORGANS = split("liver|spleen|left kidney|right kidney|heart|left lung|right lung|stomach");
export const MODALITIES = split("CT|MRI|X-ray|ultrasound|PET");

/** Sets whose options differ in what a careless reading drops. */
export const CLOSE_SETS = [
  ...["CD4+|CD4-|CD8+|CD8-", "ER+/PR+|ER+/PR-|ER-/PR+|ER-/PR-", "A+|A-|B+|B-|AB+|AB-|O+|O-", "Rh+|Rh-"],
  ...["left > right|left < right", "1+|2+|3+|4+", "2|2+|3|3+", "<5 mm|5 mm|>5 mm", "0.5 cm|5 cm|50 cm|0.05 cm"],
  ...["-2.5|2.5|-0.25|25", "10^3|10^4|10^-3|3", "1/2|1/4|1/8|2", "3-5|3|5|35", "T1|T2|T1/T2|FLAIR", "10⁻³|10³|10⁶"],
  ...["grade I|grade II|grade III|grade IV", "stage IIA|stage IIB|stage IIIA|stage III", "N0|N1|N2"],
  ...["HER2-positive|HER2-negative", "malignant|non-malignant", "fracture|no fracture", "IgA|IgG|IgM|IgE", "Yes|No"],
  ...["α-thalassemia|β-thalassemia", "L4-L5|L5-S1|L4|L5", "1.5 T|15 T|3 T", "1,500 ml|150 ml|15 ml", "50%|5%|0.5%"],
  ...["vitamin A|vitamin B|vitamin C|vitamin D", "hepatitis A|hepatitis B|hepatitis C", "two|twelve|twenty"],
  ...["S. aureus|E. coli|K. pneumoniae|P. aeruginosa|C. difficile", "120/80|80/120|120/90", "5 μm|5 mm|5 cm"],
  "3 x 4 cm|4 cm|3 cm|34 cm",
].map(split);

export const templates = {
  letter: split(
    '<L>|(<L>)|[<L>]|<L>.|<L>)|**<L>**|"<L>"|“<L>”| <L>\n|\u00a0<L>\u00a0|<wide>|（<L>）|<l>|<l>.|(<l>)|<l>)|option <l>|' +
      "Option <L>|option (<l>)|Choice <L>|\\boxed{<L>}|$\\boxed{\\text{<L>}}$|答案：<L>|**Answer:** <L>|Answer: <L>",
  ),
  letterInSentence: split(
    "The answer is <L>.|The correct option is <L>.|I think <L>|I choose <L>.|It is <L>.|The answer is (<L>).|" +
      "Final answer: <L>|<L> is correct.|I would go with <L>|<L>, I think|<L> because it is dark|So the answer must be <L>.",
  ),
  text: split('<text>|<text>.|<TEXT>|<lower>|**<text>**|"<text>"| <text> |<set>|\u00a0<set>|<set>.'),
  textInSentence: split(
    "It is <text>.|I see <text>|This shows <text>.|The answer is <text>|The image shows <text>.|I would say <text>|" +
      "A film of the chest; it shows <text>|<text> is seen here|So, <text>, I think|It is <set>.",
  ),
  letterAndText: split(
    "<L>. <text>|<L>) <text>|(<L>) <text>|<L>: <text>|<l>. <text>|**<L>. <text>**|<L>、<text>|<L>. <set>|<L> – <text>|" +
      "The answer is <L>. <text>|Answer: (<L>) <text>.",
  ),
  letterAgainstText: split("<A>. <b>|<A>) <b>|(<A>) <b>|<A>: <b>|**<A>. <b>**"),
  several: split(
    "<A> or <B>|<A> and <B>|<A>, <B>|<A>/<B>|<A> & <B>|either <A> or <B>|<A>, <B> and <C>|both <A> and <B>|(<A>) (<B>)|" +
      "<A> <B>|<A>; <B>|<A> as well as <B>|not just <A> but <B> too|<A>, no wait, <B>|~~<C>~~ <A> or <B>|<A> vs <B>|<a> or <b>|Either <a> or <b>.",
  ),
  denied: split(
    "not <A>|Not <A>.|It is not <A>.|It isn't <A>|<A> is incorrect|<A> is wrong.|<A> is not correct|<A> can be ruled out|" +
      "I can rule out <A>.|definitely not <A>|I don't think it is <A>|<A> (incorrect)|<A>: wrong|anything except <A>|" +
      "It cannot be <A>|It is unlikely to be <A>|<A> is unlikely|<A> is excluded|It is not <a>.|not <a>|<a> is unlikely|" +
      "There is no sign of <a>.|<a> is ruled out|It is unclear whether it is <A>|I don't know whether it is <a>|" +
      "<A> cannot be excluded|I doubt it is <A>|<A>? No.|It is by no means <A>|I would exclude <A>|~~<A>~~|≠ <A>|<a> is no longer seen|<a> has resolved|<A> is questionable|" +
      "<A>, <B> and <C> are wrong|Options <A>, <B>, and <C> can be excluded|nobody would say <A>|<a> was suspected but not confirmed",
  ),
  neither: split(
    "neither <A> nor <B>|Not <A>, <B> or <C>.|<A> and <B> are wrong|not <A> and not <B>|Neither <a> nor <b>|none of these|" +
      "None.|all of the above|both|No <a>, <b>",
  ),
  noOption: split(
    "<beyond>|The answer is <beyond>|protein <A>|factor <A>|type <A>|group <B>|influenza <A>|lead <B>|Figure <A>|" +
      "|...|I do not know|unclear|<A><B>",
  ),
  denialAndChoice: split(
    "not <other> but <L>|not <other>, <L>|<L>, not <other>|<L> rather than <other>|<L> (not <other>)|" +
      "<other> is wrong; it is <L>|The answer is not <other> but <L>|It isn't <other>; it is <L>.|" +
      "<L> because <other> is wrong|<other> is incorrect. The answer is <L>.|<L> instead of <other>|" +
      "<other> is incorrect and <L> is correct|Not <other>. <L>|No, not <other>, but <L>.",
  ),
  yes: split(
    "Yes|yes.|YES!|Yes, there is.|Yes, <f>|**Yes**|“Yes”|Ｙｅｓ|true|Present|Answer: yes|A <f> is present.|" +
      "The <f> is present on the left.|There is no doubt that <f> is present.|No doubt: yes.|Not only present but large.|" +
      "not absent|by no means absent|No fewer than two are present|Undoubtedly present|\\boxed{yes}|Yes (small)|yes\u00a0|Yes, possibly <f>|A <f> is present without <g>",
  ),
  no: split(
    "No|no.|NO!|No, there is none.|No <f>|**No**|“No”|Ｎｏ|false|Absent|none|Answer: no|There is no <f>.|not present|" +
      "No <f>, <g> or <h> is present.|No <f> is present.|It isn't present.|It is unlikely that a <f> is present.|" +
      "A <f> is hardly present.|Nothing like <f> is present.|Neither present nor suspected|Neither <f> nor <g> is present.|" +
      "It is not true.|\\boxed{no}|never present|No <f> or <g>.|There is no <f>, nor is <g> present.|cannot be present|" +
      "No longer present|not yet present|It is impossible that <f> is present|far from present|nowhere present|No evidence of <f>.|At present there is no <f>.|<f>: absent",
  ),
  perhaps: split(
    "probably|maybe|unclear|I cannot tell|no idea|not sure|yes and no|yes or no|yes/no||Possibly present|perhaps present|" +
      "may be present|might be present|It could be present|maybe yes|perhaps no|It is unclear whether a <f> is present.|" +
      "It is unknown if <f> is present|cannot be excluded|That <f> is present cannot be excluded.|Yes, but no <g>|" +
      "not sure whether it is present|I doubt that <f> is present|No <f>, but <g> is present.|No. <f> is present.|" +
      "neither present nor absent|<f>|I cannot say whether it is present|I don't know if it is present|" +
      "not necessarily present|may not be present|There cannot be no <f>|It is false that there is no <f>|rarely present|" +
      "no proof that <f> is absent|No finding is present other than a <f>|no reason to say no|no. 4|" +
      "There is no way to tell whether it is present",
  ),
  deniedFinding: split("no <f>|not <f>|There is no <f>|<f> is absent|without <f>|not a <f>|<f>: none"),
  ends: [
    "",
    "",
    "<|im_end|>",
    "</s>",
    "<|eot_id|>\n",
    "<end_of_turn>",
    "<|endoftext|><|endoftext|>",
    " <eos>",
    "\n[EOS]",
  ],
  strictForm: [
    "<thought><answer><x></answer>",
    "<thought>\n<answer> <x>. </answer>",
    "<thought> <answer>**<x>**</answer>",
  ],
  looseForm: split(
    "<thought><Answer><x></Answer>|<thought><answer ><x></answer>|<thought><ANSWER>\n<x>\n</ANSWER>|<thought><answer><x>|" +
      "<thought><x></answer>|<thought>\\boxed{<x>}|<thought>$\\boxed{\\text{<x>}}$|<thought>**Answer**: <x>|" +
      "<thought>**Answer:** <x>|<thought>**Final Answer**\n<x>|<thought>Answer：<x>|<thought>答案：<x>|" +
      "<thought>## Answer\n\n<x>|<thought>The answer is: **<x>**. It is large.|<thought><x>|" +
      "<thought><answer></answer><answer><x></answer>|<think>Perhaps <other>. <answer><x></answer>|" +
      "<thought>So it is dark. Final answer: <x>\nThat is all.|Answer: <other>\n<thought>Answer: <x>",
  ),
  empty: ["", " ", "\n", "\u200b", ".", "…", "<think>", "**"].map(
    (inner) => `<think><f></think><answer>${inner}</answer>`,
  ),
} as const;

function split(text: string): readonly string[] {
  return text.split("|");
}
