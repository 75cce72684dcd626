import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { BUNDLES } from "../support/bundled.ts";
import { spawn } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";
import { Bundles } from "./bundles.ts";

setDefaultTimeout(TEST_LIMIT);

/* The bundled programs that tests start instead of the sources behave like the sources. */

/** The bundles made by this file; undefined if `bun run test` has made bundles for all test files. */
let made: Bundles | undefined;
/** The path of each program's source, and of the bundle that is started instead. */
let pairs: [source: string, bundle: string][];
let folder: string;

beforeAll(async () => {
  const given = process.env[BUNDLES] ?? "{}";
  if (given === "{}") made = await Bundles.make();
  pairs = Object.entries(JSON.parse(made?.env[BUNDLES] ?? given));
  folder = await mkdtemp(join(tmpdir(), "fds-bundles-test-"));
});
afterAll(async () => {
  await made?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function run(program: string, ...flags: string[]) {
  // The path is relative, because spawn() replaces only the absolute path of a source by that of its
  // bundle.
  const command = [process.execPath, "--no-env-file", relative(folder, program), ...flags];
  const child = spawn(command, { cwd: folder, stderr: "pipe" });
  const said = Promise.all([child.stdout.text(), child.stderr.text()]);
  return { said: await said, exitCode: await child.exited };
}

test("they say the same, and end the same way", async () => {
  expect(pairs.length).toBeGreaterThan(3);
  for (const [source, bundle] of pairs) {
    const { said, exitCode } = await run(bundle, "--help");
    expect([source, exitCode]).toEqual([source, 0]);
    expect(said).toEqual((await run(source, "--help")).said);
    expect((await run(bundle, "--no-such-flag")).exitCode).toBe(2);
  }
});

test("a trace of the stack tells of the sources", async () => {
  const [, bundle = ""] = pairs.find(([source]) => source.endsWith("client.ts"))!;
  const fails = join(folder, "fails.js");
  await Bun.write(
    fails,
    `process.stdout.write = () => { throw new Error("planted"); };
     require(${JSON.stringify(bundle)}).runClient(["--help"]);`,
  );
  const { said } = await run(fails);
  expect(said.join("")).toMatch(/lib\/.*\.ts:\d+/);
});
