import { expect, test } from "bun:test";
import type { CommandContext } from "../../../lib/cli/fds/command.ts";
import { printPages } from "../../../lib/cli/fds/listing.ts";

const COLUMNS = [
  { title: "n", importance: 1, shown: (n: number) => `<${n}>`, raw: (n: number) => n },
  { title: "", importance: 2, shown: () => "", raw: () => null },
];
const LISTING = { columns: COLUMNS, none: "nothing" };

/** Prints pages of items. @returns the whole text, and the text so far at each request for a page */
async function written(pages: number[][], { json = false, live = false } = {}) {
  let text = "";
  const seen: string[] = [];
  const out = {
    write: (piece: string) => void (text += piece),
    live,
    colour: false,
    columns: () => 80,
    rows: () => 24,
  };
  const given = async function* () {
    for (const page of pages) {
      seen.push(text);
      yield page;
    }
    seen.push(text);
  };
  // `printPages` uses only `out` and `json` of a command's context.
  const context = { out, json } as CommandContext;
  await printPages(context, given(), LISTING, (items) => ({ items }));
  return { text, seen };
}

test("pages are written as they come, before the next one is asked for", async () => {
  const { seen, text } = await written([[1, 2], [3]]);
  expect(seen).toEqual(["", "1\t\n2\t\n", "1\t\n2\t\n3\t\n"]);
  expect(text).toBe("1\t\n2\t\n3\t\n");
});

test("a person reads titles above each page, and a word where there is nothing", async () => {
  expect((await written([[1], [2]], { live: true })).text).toBe("n\n<1>\nn\n<2>\n");
  expect((await written([[]], { live: true })).text).toBe("nothing\n");
  expect((await written([[]])).text).toBe("");
});

test("JSON is one value, of all pages", async () => {
  const { seen, text } = await written([[1, 2], [], [3]], { json: true });
  expect(seen.at(-1)).toBe("");
  expect(JSON.parse(text)).toEqual({ items: [1, 2, 3] });
});
