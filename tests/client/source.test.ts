import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFile, link, mkdtemp, open, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../lib/client/owner-rules/roots.ts";
import type { SourceFile } from "../../lib/client/owner-rules/source-file.ts";
import { Source } from "../../lib/client/source.ts";
import { downloadRequest } from "../support/requests.ts";
import { md5 } from "../support/scripted-client.ts";

/* The bytes sent of a file belong to one state of the file, even if it changes while it is sent. */

const CONTENT = Buffer.from("what the site has");

let folder: string;
let path: string;
let file: SourceFile;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-source-"));
  path = join(folder, "file");
  await writeFile(path, CONTENT);
  file = await (await Roots.open([folder])).openFile("file");
});
afterEach(async () => {
  await file.close();
  await rm(folder, { recursive: true });
});

const onProgress = () => true;

const REQUEST = downloadRequest(1_000_000);

const openSource = () => Source.open(file, REQUEST, onProgress);

async function overwrite(position: number, text: string): Promise<void> {
  const handle = await open(path, "r+");
  await handle.write(text, position);
  await handle.close();
}

describe("is confirmed, as the bytes are what they were, when the file", () => {
  test.each<[string, () => Promise<void>]>([
    ["was not touched", async () => undefined],
    ["was touched", () => utimes(path, 1, 1)],
    ["got a hard link", () => link(path, `${path}.link`)],
    ["was renamed, and another is in its place, as a log is rotated", () => rotate()],
    ["was written to with the bytes that it had", () => overwrite(0, CONTENT.toString())],
    ["only grew", () => appendFile(path, "a line more")],
    ["grew, and got a hard link", () => appendFile(path, "x").then(() => link(path, `${path}.2`))],
  ])("%s", async (_, change) => {
    const source = await openSource();
    await change();
    await source.confirm(md5(CONTENT), onProgress);
    await source.confirm(md5(CONTENT), () => expect.unreachable("nothing changed since"));
  });

  async function rotate(): Promise<void> {
    await rename(path, `${path}.1`);
    await writeFile(path, "the next log");
  }
});

describe("is refused when the file", () => {
  test.each<[string, () => Promise<void>]>([
    ["was changed in one byte", () => overwrite(3, "X")],
    ["was shortened", () => writeFile(path, CONTENT.subarray(1))],
    ["was deleted", () => rm(path)],
    [
      "was replaced by another one",
      () => writeFile(`${path}.new`, CONTENT).then(() => rename(`${path}.new`, path)),
    ],
  ])("%s", async (_, change) => {
    const source = await openSource();
    await change();
    await expect(source.confirm(md5(CONTENT), onProgress)).rejects.toMatchObject({
      code: "source_changed",
    });
  });

  test("is touched, and was changed while it was read", async () => {
    const source = await openSource();
    await utimes(path, 1, 1);
    const sent = md5(Buffer.from("what the site hat"));
    await expect(source.confirm(sent, onProgress)).rejects.toMatchObject({
      code: "source_changed",
    });
  });
});

test("the reading again ends when nobody wants the file any more", async () => {
  const source = await openSource();
  await utimes(path, 1, 1);
  const confirming = source.confirm(md5(CONTENT), () => false);
  await expect(confirming).rejects.toMatchObject({ code: "protocol_error" });
});
