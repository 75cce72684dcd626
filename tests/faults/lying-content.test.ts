import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BYTES, EVIL_SET, fds, folder, MD5, type Lies, useFolder } from "../support/lying-api.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useFolder();

/* `fds pull -o` with a server that lies about a file's content or path. */

describe("fds pull -o", () => {
  let here: string;
  beforeEach(async () => {
    here = join(folder, "here");
    await mkdir(here);
  });

  test("touches no file of another folder", async () => {
    const stranger = join(folder, "x.part");
    await writeFile(stranger, "mine");
    const md5 = "/../../x";
    const content = () => new Response(BYTES, { status: 206, headers: { etag: `"${md5}"` } });
    const lies = { record: { md5 }, content };
    const { exitCode } = await fds(lies, "pull", "site-1", "-o", join(here, "a"));
    expect(exitCode).toBe(1);
    expect(await readFile(stranger, "utf8")).toBe("mine");
  });

  test.each<[string, string[], Lies["record"]]>([
    ["a file where a set was asked for", ["logs/"], {}],
    ["a set where a file was asked for", ["file.txt"], EVIL_SET],
  ])("saves nothing where it pulled %s", async (_, args, record) => {
    const { exitCode, stderr } = await fds({ record }, "pull", "site-1", ...args, "-o", here);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("it pulled something else than what was asked for");
    expect(await readdir(folder, { recursive: true })).toEqual(["here"]);
  });

  test("takes no more bytes than the file has", async () => {
    const endless = () => {
      const body = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
      });
      return new Response(body, { status: 206, headers: { etag: `"${MD5}"` } });
    };
    const outcome = await fds({ content: endless }, "pull", "site-1", "-o", join(here, "a"));
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain("more bytes than the file has");
    for (const name of await readdir(here)) {
      expect((await stat(join(here, name))).size).toBeLessThanOrEqual(BYTES.length);
    }
  });

  test("to standard output fails where other bytes came", async () => {
    const other = Buffer.from(BYTES).fill("x");
    const content = () => new Response(other, { status: 206, headers: { etag: `"${MD5}"` } });
    const { exitCode, stderr } = await fds({ content }, "pull", "site-1", "-o", "-");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("it is not the file");
  });
});
