import { describe, expect, it } from "vitest";
import { html, printHtml } from "./html.ts";

describe("html", () => {
  it("escapes every value that is not markup, in text and in attributes", () => {
    const evil = `"><script>alert('x')</script>&`;
    expect(printHtml(html`<p title="${evil}">${evil}</p>`)).toBe(
      `<p title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;">&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</p>`,
    );
  });

  it("keeps markup, joins lists and shows nothing for null, undefined and false", () => {
    const list = [html`<i>${1}</i>`, "<", null, undefined, false, [0, [">"]], ""] as const;
    expect(printHtml(html`<b>${list}</b>`)).toBe("<b><i>1</i>&lt;0&gt;</b>");
  });

  it("replaces control characters, but neither tabs nor line ends", () => {
    expect(printHtml(html`${"a\u0000b\u001bc\td\ne\u0085"}`)).toBe("a\ufffdb\ufffdc\td\ne\ufffd");
  });

  it("takes no object out of a file for markup", () => {
    const evil = JSON.parse('{ "isEscaped": true, "markup": "<b>", "value": "<b>" }');
    expect(printHtml(html`<p>${evil}</p>`)).not.toContain("<b>");
  });
});
