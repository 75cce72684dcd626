import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  fds,
  fields,
  FILE,
  json,
  oneSiteAndOneAway,
  system,
  useCommandLine,
  waiting,
} from "../support/command-line.ts";
import { Screen } from "../support/operator.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Holding, releasing and removing downloads on the command line. */

useCommandLine(oneSiteAndOneAway);

const itPty = test.skipIf(process.platform === "win32");

/** Makes a completed download for one test. @returns its id and the path of its file */
async function delivered() {
  const record = await system.ended(await system.pull(FILE));
  return { id: record.download_id, path: join(system.folder, "downloads", record.saved_path!) };
}

const rowOf = async (id: string) =>
  fields(await fds(["downloads", "--limit", "1000"])).find(([first]) => first === id);

test("fds hold keeps what fds rm removes once it is released", async () => {
  const { id, path } = await delivered();
  expect(await json("hold", id)).toMatchObject({ download_id: id, hold: true });
  expect((await rowOf(id))?.slice(-2)).toEqual(["held", ""]);
  const refused = await fds(["rm", id, "--yes"]);
  expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
  expect(refused.stderr).toMatch(/^error: The download is held, release it first.*\n$/);
  expect(existsSync(path)).toBe(true);
  expect(await json("release", id)).toMatchObject({ hold: false });
  const removed = await json("rm", id, "--yes");
  expect(removed).toMatchObject({ download_id: id, status: "completed" });
  expect(removed.removed_at).toBeString();
  expect(existsSync(path)).toBe(false);
  expect((await rowOf(id))?.slice(-2)).toEqual(["", removed.removed_at]);
  // Removing a removed download again is no error.
  expect(await json("rm", id, "--yes")).toEqual(removed);
});

test("fds rm asks nobody in a pipe: without --yes it removes nothing, and says so", async () => {
  const { id, path } = await delivered();
  const line = "--yes is missing, expected it where nobody can be asked: fds rm ID --yes";
  const refused = { exitCode: 2, stderr: `error: ${line}\n` };
  expect(await fds(["rm", id], { input: "y\n" })).toEqual({ ...refused, stdout: "" });
  const { stdout, ...rest } = await fds(["rm", id, "--json"]);
  expect(rest).toEqual(refused);
  expect(JSON.parse(stdout)).toEqual({ error: line, code: "usage_error" });
  expect(existsSync(path)).toBe(true);
});

test("fds verify calls no fault what was removed, and finds what is there still", async () => {
  const { id } = await delivered();
  await fds(["rm", id, "--yes"]);
  const { files, wrong } = await json("verify");
  expect(wrong).toBe(0);
  const own = files.find((file: { download_id: string }) => file.download_id === id);
  expect(own).toMatchObject({ verdict: "removed" });
});

test("what has not come is held, and cannot be removed", async () => {
  const id = await waiting();
  expect(await json("hold", id)).toMatchObject({ status: "queued", hold: true });
  const { exitCode, stderr } = await fds(["rm", id, "--yes"]);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("The download is queued")]);
  await system.api.cancel(id);
});

test("fds pull says how long what many bring is kept", async () => {
  const flags = ["--keep-days", "90", "--keep-last", "7"];
  const { exitCode } = await fds(["pull", "--ids", "site-1", FILE, ...flags]);
  expect(exitCode).toBe(0);
  const [newest] = (await system.api.jobs({})).jobs;
  expect(newest).toMatchObject({ keep: { days: 90, last: 7 } });
  const wrong = await fds(["pull", "--all", "--keep-days", "0"]);
  expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
  expect(wrong.stderr).toStartWith('error: --keep-days is "0", expected a whole number from 1');
});

describe("on a terminal", () => {
  itPty(
    "fds rm asks first, a no removes nothing, and of what is held nobody is asked",
    async () => {
      const { id, path } = await delivered();
      await system.api.change(id, { hold: true });
      await using held = new Screen(system, ["fds", "rm", id]);
      await held.shows(/error: The download is held, release it first/);
      expect(await held.ended()).toBe(1);
      expect(held.raw).not.toContain("[y/N]");
      await system.api.change(id, { hold: false });
      await using no = new Screen(system, ["fds", "rm", id]);
      await no.shows(
        /Remove file_to_download.txt of site-1 \(5.0 MiB\) from the server\? \[y\/N\] /,
      );
      no.type("n\n");
      expect(await no.ended()).toBe(1);
      expect(existsSync(path)).toBe(true);
      await using yes = new Screen(system, ["fds", "rm", id]);
      await yes.shows(/\[y\/N\] /);
      yes.type("y\n");
      await yes.shows(new RegExp(`✓ removed ${id}`));
      expect(await yes.ended()).toBe(0);
      expect(existsSync(path)).toBe(false);
      await using list = new Screen(system, ["fds", "downloads"], { columns: 120 });
      await list.shows(new RegExp(`${id.slice(0, 18)} +site-1 +removed `));
      await using all = new Screen(system, ["fds", "status", id], { columns: 120 });
      await all.shows(/ removed +20\d\d-/);
    },
  );
});
