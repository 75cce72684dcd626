import { describe, expect, test } from "bun:test";
import {
  chosenBackends,
  cycles,
  foldersOf,
  type Graph,
  importsOf,
  settingsReaders,
  strangePackages,
  wrongDirections,
} from "./architecture.ts";

/* These tests check that the rules of tests/architecture.test.ts detect a violation. */

describe("the imports of a file", () => {
  const source = `
import { a, type B } from "./a.ts";
import type { C } from "../c.ts";
import {
  type D,
} from "zod";
import "./e.ts";
export type { F } from "./f.ts";
export * from "./g.ts";
type H = import("./h.ts").H;
const i = await import("./i.ts");
new Worker(new URL("./j.ts", import.meta.url));
console.log(a, i, 'no import from "./k.ts"');
`;

  test("are found, those of types and workers too", () => {
    const names = ["a", "e", "f", "g", "h", "i", "j"].map((name) => `lib/x/${name}.ts`);
    expect(importsOf("lib/x/y.ts", source).toSorted()).toEqual(
      [...names, "lib/c.ts", "zod"].toSorted(),
    );
  });
});

describe("each rule can be broken", () => {
  const of = (file: string, target: string): Graph => ({ [file]: [target] });

  test.each([
    ["lib/client/a.ts", "lib/server/b.ts"],
    ["lib/server/a.ts", "lib/client/b.ts"],
    ["lib/server/a.ts", "lib/cli/b.ts"],
    ["lib/client/a.ts", "lib/dashboard/b.ts"],
    ["lib/cli/a.ts", "lib/protocol/b.ts"],
    ["lib/cli/a.ts", "lib/server/b.ts"],
    ["lib/api/a.ts", "lib/server/b.ts"],
    ["lib/protocol/a.ts", "lib/api/b.ts"],
    ["lib/util/a.ts", "lib/protocol/b.ts"],
    ["lib/util/a.ts", "server.ts"],
    ["lib/server/a.ts", "package.json"],
    ["client.ts", "lib/server/a.ts"],
    ["setup.ts", "server.ts"],
    ["client.ts", "lib/program/a.ts"],
    ["lib/cli/a.ts", "lib/program/b.ts"],
  ])("%s may not import %s", (file, target) => {
    expect(wrongDirections(of(file, target))).toEqual([
      expect.stringContaining(`${file} imports ${target}: `),
    ]);
  });

  test("a folder that the design does not know is no place for a file", () => {
    expect(wrongDirections(of("lib/helpers/a.ts", "zod"))).toHaveLength(1);
    expect(wrongDirections(of("other.ts", "zod"))).toHaveLength(1);
  });

  test.each([
    ["lib/server/downloads/downloads.ts", "lib/server/database/sql.ts"],
    ["lib/server/downloads/downloads.ts", "lib/server/storage/disk.ts"],
    ["lib/server/storage/disk.ts", "lib/server/database/migrations.ts"],
  ])("%s may not choose %s", (file, target) => {
    expect(chosenBackends(of(file, target))).toEqual([
      expect.stringContaining("only server.ts chooses a backend"),
    ]);
  });

  test.each([
    ["server.ts", "lib/server/database/sql.ts"],
    ["lib/server/database/sql.ts", "lib/server/database/rows.ts"],
    ["lib/server/downloads/downloads.ts", "lib/server/database/repository.ts"],
    ["lib/server/downloads/publish.ts", "lib/server/storage/names.ts"],
  ])("%s may know %s", (file, target) => {
    expect(chosenBackends(of(file, target))).toEqual([]);
  });

  test("circles are found wherever they begin", () => {
    expect(cycles({ a: ["b"], b: ["c"], c: ["b"] })).toEqual(["b → c → b"]);
    expect(cycles({ a: ["a"] })).toEqual(["a → a"]);
    expect(cycles({ a: ["b", "c"], b: ["c"], c: [] })).toEqual([]);
  });

  test("a folder that stands on one that stands on it is found", () => {
    const both = { "lib/a/x/1.ts": ["lib/a/y/2.ts"], "lib/a/y/2.ts": ["lib/a/x/3.ts"] };
    expect(cycles(foldersOf({ ...both, "lib/a/x/3.ts": [] }))).toEqual([
      "lib/a/x → lib/a/y → lib/a/x",
    ]);
    const beside = { "lib/a/1.ts": ["lib/a/x/2.ts"], "lib/a/x/2.ts": ["lib/a/3.ts"] };
    expect(cycles(foldersOf({ ...beside, "lib/a/3.ts": [] }))).toEqual([]);
  });

  test.each(["process.env.HOME", "process.argv", "Bun.env", "import.meta.env"])(
    "%s is for programs",
    (text) => {
      const read = { "lib/server/a.ts": `const x = ${text};` };
      expect(settingsReaders(read, [])).toEqual([expect.stringContaining("reads")]);
      expect(settingsReaders(read, ["lib/server/a.ts"])).toEqual([]);
    },
  );

  test("packages are those that come with Bun, and three", () => {
    const known = ["node:fs", "bun", "bun:sqlite", "ws", "zod", "hono", "hono/body-limit"];
    expect(strangePackages({ a: [...known, "lodash", "fs", "zodiac", "wss"] })).toHaveLength(4);
  });
});
