import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mutate, MUTATIONS } from "./faults/mutation-list.ts";

/*
 * Every mutation in the list fits the current sources and tests. Whether tests catch it is checked by
 * tests/faults/mutations.ts.
 */

const TOP = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(TOP, path), "utf8");

describe.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))(
  "%s",
  (_, mutation) => {
    test("changes what is there, into what can be read", () => {
      const text = read(mutation.file);
      const mutated = mutate(text, mutation);
      const code = (source: string) => new Bun.Transpiler({ loader: "ts" }).transformSync(source);
      expect(code(mutated)).not.toBe(code(text));
    });

    test("is to be caught by tests that are there", () => {
      expect(Object.keys(mutation.caughtBy)).not.toBeEmpty();
      for (const [file, name] of Object.entries(mutation.caughtBy))
        expect(read(file)).toContain(name);
    });
  },
);

test("each has a name of its own", () => {
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
});

test("README.md lists them all, and what catches each", () => {
  const readme = read("tests/faults/README.md");
  for (const { name, caughtBy } of MUTATIONS) {
    const row = readme.split("\n").find((line) => line.startsWith(`| \`${name}\``)) ?? "";
    for (const catcher of Object.values(caughtBy)) expect(row).toContain(catcher);
  }
});
