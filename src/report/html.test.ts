import { describe, expect, it } from "vitest";
import { escapeHtml, html } from "./html.ts";

describe("html", () => {
  it("escapes every value that is not markup, in text and in attributes", () => {
    const evil = `"><script>alert('x')</script>&`;
    expect(html`<p title="${evil}">${evil}</p>`.markup).toBe(
      `<p title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;">&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</p>`,
    );
  });

  it("keeps markup, joins lists and shows nothing for null, undefined and false", () => {
    expect(html`<b>${[html`<i>${1}</i>`, "<", null, undefined, false, 0]}</b>`.markup).toBe("<b><i>1</i>&lt;0</b>");
  });

  it("replaces control characters, but neither tabs nor line ends", () => {
    expect(escapeHtml("a\u0000b\u001bc\td\ne\u0085")).toBe("a\ufffdb\ufffdc\td\ne\ufffd");
  });
});
