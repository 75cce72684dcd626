import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const LINES = readFileSync(join(import.meta.dir, "../docker-compose.yml"), "utf8").split("\n");

/** Returns the keys of a YAML text in block style, each with its parents: `services.server.ports`. */
function keyPaths(lines: readonly string[]): string[] {
  const parents: { indent: number; key: string }[] = [];
  return lines.flatMap((line) => {
    const [, indent = "", key] = /^( *)([\w<-]+):(?: |$)/.exec(line) ?? [];
    if (key === undefined) return [];
    while ((parents.at(-1)?.indent ?? -1) >= indent.length) parents.pop();
    parents.push({ indent: indent.length, key });
    return parents.map((parent) => parent.key).join(".");
  });
}

test("docker-compose.yml has each key once, because Compose v2 refuses a second one", () => {
  const paths = keyPaths(LINES);
  expect(paths).toContain("services.server.environment.API_TOKEN");
  expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
});
