import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import type { Message } from "../core/records.ts";
import { chatRenderer, promptTemplate } from "./chat-template.ts";

const renderChat = chatRenderer();

const templates = "../shared/models/chat_templates";
const text = (words: string) => ({ type: "text", text: words }) as const;
const image = { type: "image", image: { path: "x.png" } } as const;

describe("renderChat", () => {
  const parts =
    "{% for m in messages %}{{ m.role }}:{% for p in m.content %}{{ '<image>' if p.type == 'image' else p.text }}{% endfor %};{% endfor %}";

  it("gives a list of parts to a template that knows images, in order", () => {
    const messages: Message[] = [
      { role: "system", content: [text("s")] },
      { role: "user", content: [text("a"), image, text(" b "), image] },
    ];
    expect(renderChat(parts, messages)).toBe("system:s;user:a<image> b <image>;");
  });

  it("gives strings to a template that does not", () => {
    const strings =
      "{% for m in messages %}[{{ m.content + '|' }}]{% endfor %}{% if add_generation_prompt %}GO{% endif %}";
    const messages: Message[] = [{ role: "user", content: [text("a"), text("b")] }];
    expect(renderChat(strings, messages, { addGenerationPrompt: true })).toBe("[ab|]GO");
    expect(() => renderChat(strings, [{ role: "user", content: [image] }])).toThrow(/no place for images/);
  });

  it.each([
    ["{% for m in messages %}{{ m.content", /cannot be rendered/],
    ["{{ raise_exception('no system message') }}", /cannot be rendered: .*no system message/],
  ])("tells what is wrong with %s before anything of images", (template, message) => {
    expect(() => renderChat(template, [{ role: "user", content: [image] }])).toThrow(message);
  });

  it.each<[string, string, RegExp]>([
    [
      "an expression that is not closed",
      "a\n{% for m in messages %}\n{{ m.role }\n{% endfor %}",
      /^f, line 3: .*rendered/,
    ],
    ["a block that is not closed", "a\n{% for m in messages %}\n{{ m.role }}\n", /^f, line 2: .*ends within a block/],
    ["a tag that jinja lacks", "a\n\nb\n{% nonsense x %}\nc", /^f, line 4: .*nonsense/],
    ["an unknown filter", "a\n{{ 'x' | nofilter }}\n", /^f, line 2: .*nofilter/],
    ["its own refusal", "{# image #}\n\n{{ raise_exception('only users') }}", /^f, line 3: .*: only users$/],
    ["no place for images", "{{ messages[0].role }}", /^f: .* no place for images/],
  ])("names the file and the line of %s", (_, template, message) => {
    const render = chatRenderer({ template, source: "f" });
    expect(() => render(template, [{ role: "user", content: [image] }])).toThrow(message);
  });

  it("does not evaluate what users write", () => {
    expect(renderChat(parts, [{ role: "user", content: [text("{{ 1 + 1 }}{% raw %}")] }])).toBe(
      "user:{{ 1 + 1 }}{% raw %};",
    );
  });

  it("hands over variables", () => {
    expect(renderChat("{{ bos_token }}x", [], { variables: { bos_token: "<s>" } })).toBe("<s>x");
  });

  it("turns a template's own refusal and a broken template into one sentence", () => {
    expect(() => renderChat("{{ raise_exception('only users') }}", [])).toThrow(
      new UserError("the model's chat template cannot be rendered: only users"),
    );
    expect(() => renderChat("{% for %}", [])).toThrow(UserError);
  });
});

describe("promptTemplate", () => {
  const messages: Message[] = [
    { role: "system", content: [text("Be brief.")] },
    { role: "user", content: [image, text("What?")] },
  ];
  const render = (kind: "chat" | "transcript" | "document") =>
    renderChat(
      promptTemplate(kind, "{{ messages[1].content[1].text }}<image>", { image: "<i>", begin: "{{ bos }}" }),
      messages,
      {
        addGenerationPrompt: true,
        variables: { bos: "<s>" },
      },
    );

  it("is the model's own, a transcript, or the bare text", () => {
    expect(render("chat")).toBe("What?<image>");
    expect(render("transcript")).toBe("<s>Be brief.\nUser: <i>What?\nAssistant:");
    expect(render("document")).toBe("<s>Be brief.<i>What?");
  });
});

describe.skipIf(!existsSync(templates))(`templates of real models (needs ${templates})`, () => {
  // What jinja2 (Python) renders with transformers' settings for the same messages.
  const chatMl = (system: string, user: string): string =>
    `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n${user}Hi  there\n<|im_end|>\n` +
    "<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n";
  const idefics =
    "System: Sys<end_of_utterance>\nUser:<image>Hi  there\n<end_of_utterance>\nAssistant: Yo<end_of_utterance>\nUser: more<end_of_utterance>\nAssistant:";
  const visual = "<|vision_start|><|image_pad|><|vision_end|>";
  const expected: Record<string, string> = {
    "idefics3.jinja": `<|begin_of_text|>${idefics}`,
    "idefics3_training.jinja": `<|begin_of_text|>${idefics}`,
    "llava_next.jinja": "<<SYS>>\nSys\n<</SYS>>\n\n[INST] <image>\nHi  there\n [/INST] Yo</s> [INST] more [/INST]",
    "qwen2_5.jinja": chatMl("Sys", ""),
    "qwen2_5_vl.jinja": chatMl("Sys", visual),
    "qwen2_5_vl_training.jinja": chatMl("Sys", visual),
    "qwen3_vl.jinja": chatMl("Sys", visual),
    "smolvlm.jinja": `<|im_start|>${idefics}`,
  };

  it.each(Object.entries(expected))("%s", (file, rendered) => {
    const isTextOnly = file === "qwen2_5.jinja";
    const messages: Message[] = [
      { role: "system", content: [text("Sys")] },
      { role: "user", content: isTextOnly ? [text("Hi  there\n")] : [image, text("Hi  there\n")] },
      { role: "assistant", content: [text("Yo")] },
      { role: "user", content: [text("more")] },
    ];
    const template = readFileSync(join(templates, file), "utf8");
    expect(renderChat(template, messages, { addGenerationPrompt: true })).toBe(rendered);
  });

  it("all of them are covered", () => expect(readdirSync(templates).sort()).toEqual(Object.keys(expected)));
});
