import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpinned } from "./check-dependencies.ts";
import { spawn } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const PROJECT = join(import.meta.dir, "../..");
const STEP = join(import.meta.dir, "check-dependencies.ts");

const ADVISORY = {
  id: 1,
  url: "https://example.com/1",
  title: "Reads your mind",
  severity: "high",
  vulnerable_versions: "<99.0.0",
};

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-dependencies-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/**
 * Runs check-dependencies.ts in a copy of the project's package.json and bun.lock.
 * @param answer response of a fake registry to the audit
 * @param change edits the text of package.json
 */
async function check(answer: () => Response, change = (text: string) => text) {
  using registry = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  await cp(join(PROJECT, "bun.lock"), join(folder, "bun.lock"));
  const manifest = await Bun.file(join(PROJECT, "package.json")).text();
  await Bun.write(join(folder, "package.json"), change(manifest));
  const child = spawn([process.execPath, STEP], {
    cwd: folder,
    env: { BUN_CONFIG_REGISTRY: registry.url.href, NO_PROXY: "127.0.0.1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [told, problem] = [await child.stdout.text(), await child.stderr.text()];
  return { told, problem, exitCode: await child.exited };
}

const clean = () => Response.json({});

test("what is pinned, and locked, and has no known fault, is fine", async () => {
  const { told, exitCode } = await check(clean);
  expect(told).toContain("no fault");
  expect(exitCode).toBe(0);
});

test("a registry that does not audit fails nothing, and is told of", async () => {
  const { told, exitCode } = await check(() => new Response("no", { status: 405 }));
  expect(told).toMatch(/^Not audited, .* 405$/m);
  expect(exitCode).toBe(0);
});

describe("what is not right fails", () => {
  test.each<[string, () => Response, (text: string) => string, RegExp]>([
    [
      "a range",
      clean,
      (text) => text.replace('"hono": "', '"hono": "^'),
      /one version of: hono@\^/,
    ],
    ["less than what is locked", clean, withoutAxe, /lockfile is frozen/],
    ["a known fault", () => Response.json({ hono: [ADVISORY] }), String, /hono: Reads your mind/],
  ])("%s", async (_, answer, change, words) => {
    const { problem, exitCode } = await check(answer, change);
    expect(problem).toMatch(words);
    expect(exitCode).toBe(1);
  });
});

function withoutAxe(text: string): string {
  return text.replace(/"axe-core": ".*",/, "");
}

test.each(["^1.2.3", "~1.2.3", "*", "latest", "1.x", ">=1.2.3", "github:a/b", "npm:b@^1.0.0"])(
  '"%s" names more than one version, or none',
  (version) => {
    expect(unpinned({ devDependencies: { a: version, b: "1.2.3-rc.1" } })).toEqual([
      `a@${version}`,
    ]);
  },
);
