import { expect, test } from "bun:test";
import { elementsOf, escaped, valueOf } from "../../../../lib/server/storage/s3/xml.ts";

test("elements are found, with attributes and over lines", () => {
  const xml = `<?xml version="1.0"?><L xmlns="x"><A><K>1</K></A>\n<A>\n<K>2</K></A></L>`;
  expect(elementsOf(xml, "A").map((each) => valueOf(each, "K"))).toEqual(["1", "2"]);
  expect(valueOf(xml, "B")).toBeNull();
  expect(elementsOf("not XML at all", "A")).toEqual([]);
});

test.each(["a & b", "<>\"'", "é 😀", "&amp;", "&#38;", ""])("%j is what it was", (text) => {
  expect(valueOf(`<K>${escaped(text)}</K>`, "K")).toBe(text);
});

test("entities are read, by name and by number", () => {
  expect(valueOf("<K>&lt;&gt;&quot;&apos;&amp;&#65;&#x42;&no;</K>", "K")).toBe(`<>"'&AB&no;`);
});
