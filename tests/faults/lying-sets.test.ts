import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { footprintOf, HAS_PROC } from "../support/footprint.ts";
import { CHUNK, Liar, system, useSetLiars } from "../support/set-liars.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSetLiars();

/*
 * Row 65 of the fault table: clients that lie about sets. After each lie the server must be healthy, an
 * honest download complete, and nothing of the set outside `.server/`.
 */

const MiB = 1024 * 1024;

describe("row 65: a manifest", () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => ({ path: `a/${n}` }));

  test.each<[string, (liar: Liar) => void, RegExp, object?]>([
    ["of what was not asked for", (l) => l.list({ path: "b/x" }), /^protocol_error: .*not asked/],
    ["of what is excluded", (l) => l.list({ path: "a/x" }), /not asked/, { exclude: ["a/x"] }],
    ["of a hidden file", (l) => l.list({ path: "a/.env" }), /not asked/],
    ["with a way out", (l) => l.list({ path: "a/../../x" }), /^protocol_error: .*a manifest has/],
    ["with a whole path", (l) => l.list({ path: "/etc/passwd" }), /a manifest has/],
    ["with a path of dots", (l) => l.list({ path: "a/./x" }), /a manifest has/],
    ["with an empty name", (l) => l.list({ path: "a//x" }), /a manifest has/],
    ["with a NUL", (l) => l.list({ path: "a/x\0" }), /a manifest has/],
    ["with a path twice", (l) => l.list({ path: "a/x" }, { path: "a/x" }), /twice/],
    ["with a size below 0", (l) => l.list({ path: "a/x", size: -1 }), /cannot be read/],
    ["with a size of no number", (l) => l.list({ path: "a/x", size: 2 ** 60 }), /cannot be read/],
    ["with a time of no number", (l) => l.list({ path: "a/x", mtime_ns: "1e9" }), /cannot be read/],
    ["with a code of its own", (l) => l.list({ path: "a/x", skipped: "id_in_use" }), /cannot be/],
    ["that is no JSON", (l) => l.list("{\n"), /^protocol_error: .*cannot be read/],
    ["that is deeper than all stacks", (l) => l.list(`${"[".repeat(30_000)}\n`), /cannot be read/],
    ["without its last line's end", (l) => l.list('{"path":'), /not complete/],
    ["that is no UTF-8", (l) => (l.frames(new Uint8Array([0xff, 10])), l.listed()), /no UTF-8/],
    ["that ends in a letter", (l) => (l.frames(new Uint8Array([0xc3])), l.listed()), /UTF-8|compl/],
    ["shorter than it says", (l) => l.listed(7), /says 7 bytes, 0 came/],
    ["that lacks a pattern of its own", (l) => l.listed(0, { unmatched: [1] }), /no such pattern/],
    ["of more files than asked for", (l) => l.list(...many(11)), /^too_many/, { max_files: 10 }],
    [
      "of more bytes than asked for",
      (l) => l.list({ path: "a/x", size: 11 }),
      /^set_too_large/,
      { max_bytes: 10 },
    ],
    [
      "of more bytes than there are",
      (l) => l.list({ path: "a/x", size: 8e15 }, { path: "a/y", size: 8e15 }),
      /^(set_too_large|storage_full)/,
    ],
  ])("%s fails its set", async (_, lie, why, order = {}) => {
    await using liar = await Liar.asked(order);
    lie(liar);
    expect(await liar.failure()).toMatch(why);
  });

  test.skipIf(!HAS_PROC)(
    "of a line that never ends is cut off, and kept in no memory",
    async () => {
      const before = (await footprintOf(system.server)).memory;
      await using liar = await Liar.asked();
      liar.frames(new TextEncoder().encode(`{"path":"${"x".repeat(CHUNK)}`));
      expect(await liar.failure()).toMatch(/^protocol_error: .*no end/);
      expect((await footprintOf(system.server)).memory - before).toBeLessThan(64 * MiB);
    },
  );
});
