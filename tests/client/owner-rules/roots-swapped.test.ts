import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import { FdsError } from "../../../lib/protocol/errors.ts";
import { spawn } from "../../support/spawn.ts";
import { TEST_LIMIT } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Links that change between the check of a path and its opening. A separate process swaps them all the
 * time.
 */

let base: string;
let site: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "fds-swapped-"));
  site = join(base, "site");
  await mkdir(join(site, "folder"), { recursive: true });
  await writeFile(join(site, "folder/file"), "inside");
  await symlink("folder", join(site, "link"));
  await mkdir(join(base, "outside"));
  await writeFile(join(base, "outside/file"), "outside");
});

afterEach(() => rm(base, { recursive: true, force: true }));

/**
 * Starts a process that swaps files forever.
 * @param swaps JavaScript that is repeated. In it, `pause()` takes as long as a few system calls, so that
 *   swaps fall between any two of the client's calls
 */
function startSwapper(swaps: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const program = `
    const { renameSync, symlinkSync, unlinkSync, writeFileSync } = require("node:fs");
    const pause = () => { for (let left = Math.random() * 50_000; left > 0; left--); };
    const put = (target, path) => { symlinkSync(target, "new"); renameSync("new", path); };
    console.log("ready");
    for (;;) { ${swaps} }`;
  return spawn([process.execPath, "-e", program], { cwd: site, stdout: "pipe" });
}

/** Opens and reads a file. @returns its content; null if the client refuses */
async function tryToRead(roots: Roots, filePath: string): Promise<string | null> {
  try {
    const file = await roots.openFile(filePath);
    const text = readFileSync(file.fd, "utf8");
    await file.close();
    return text;
  } catch (error) {
    expect(error).toBeInstanceOf(FdsError);
    return null;
  }
}

describe.if(existsSync("/proc/self/fd"))("no outside file gets out (needs /proc) while", () => {
  test.each([
    [
      "a link to a folder is swapped",
      "link/file",
      `put("../outside", "link"); pause();
       put("folder", "link"); pause();`,
    ],
    [
      "a folder is swapped for a link",
      "folder/file",
      `renameSync("folder", "aside"); symlinkSync("../outside", "folder"); pause();
       unlinkSync("folder"); renameSync("aside", "folder"); pause();`,
    ],
    [
      "a file is swapped for a link",
      "folder/file",
      `put("../../outside/file", "folder/file"); pause();
       writeFileSync("new", "inside"); renameSync("new", "folder/file"); pause();`,
    ],
  ])("%s", async (_, filePath, swaps) => {
    const roots = await Roots.open([site]);
    await using swapper = startSwapper(swaps);
    await swapper.stdout.getReader().read();
    const seen = new Set<string | null>();
    // Continues until both results were seen. Otherwise no swap has fallen between check and opening.
    for (let opens = 0; opens < 1000 || seen.size < 2; opens++) {
      seen.add(await tryToRead(roots, filePath));
    }
    expect([...seen].toSorted()).toEqual(["inside", null]);
  });
});
