import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { SetFileRecord } from "../../lib/api/sets.ts";
import { md5OfBytes, md5OfFile } from "../support/sources.ts";
import { spawnSync } from "../support/spawn.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* A set with every kind of file name and folder tree that a Linux disk can hold. */

const isLinux = process.platform === "linux";

let system: System;
beforeAll(async () => {
  if (!isLinux) return;
  system = await System.start();
  await system.startClient();
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
});

/** Every ASCII character that a file name can contain. */
const ASCII = Array.from({ length: 127 }, (_, n) => String.fromCharCode(n + 1)).filter(
  (character) => character !== "/",
);

const NAMES = new Set([
  ...ASCII.map((character) => `c${character}c`),
  ...ASCII.filter((character) => character !== "."),
  // The longest possible names, with characters of one, two and four bytes.
  ...["n".repeat(255), "é".repeat(127), "😀".repeat(63)],
  // Names that are equal, forbidden or special on some file systems.
  ...["a", "A", "é", "e\u0301", "con", "NUL.txt", "com1", "aux ", "name.", "name..", " lead"],
  // Names that shells, patterns, terminals or md5sum could misread.
  ...["-rf", "--", "{a,b}", "**", "[a]", "$(touch x)", "`id`", "%00", "&amp;", "a\r\nb", "\\n"],
  ...[
    "a\\\nb",
    "two  spaces",
    "\u001b[31mred",
    "file\u202Egnp.exe",
    "a\u200bb",
    "\uFEFF",
    "\uFFFD",
  ],
]);

/** Names, as bytes, that are not UTF-8, so no request can name such a file. */
const UNUSABLE = [[0xff], [0xc3], [0x63, 0xe9], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]];

async function pull(folder: string): Promise<DownloadRecord> {
  const request = { client_id: "site-1", paths: [folder] };
  const { download_id } = await system.api.startDownload(request);
  return system.ended(download_id);
}

async function filesOf({ download_id }: DownloadRecord): Promise<SetFileRecord[]> {
  const { files, next_cursor } = await system.api.setFiles(download_id, { limit: "1000" });
  expect(next_cursor).toBeNull();
  return files;
}

/** Runs a command in the client's folder of downloads. @returns its output and errors */
function atServer(...argv: string[]): string {
  const { stdout, stderr } = spawnSync(argv, { cwd: join(system.folder, "downloads/site-1") });
  return stdout.toString() + stderr.toString();
}

test.skipIf(!isLinux)("every name of a file, and of a folder, comes and is proven", async () => {
  const paths = [...NAMES].flatMap((name) => [`odd/${name}`, `folders/${name}/${name}`]);
  for (const path of paths) {
    fs.mkdirSync(join(system.source(path), ".."), { recursive: true });
    fs.writeFileSync(system.source(path), path);
  }
  for (const folder of ["odd", "folders"]) {
    const record = await pull(folder);
    const wanted = paths.filter((path) => path.startsWith(`${folder}/`));
    expect(record).toMatchObject({
      status: "completed",
      files_received: wanted.length,
      files_skipped: 0,
    });
    const files = await filesOf(record);
    expect(files.map(({ path }) => path).toSorted()).toEqual(wanted.toSorted());
    expect(new Set(files.map(({ saved_path }) => saved_path?.toLowerCase())).size).toBe(
      files.length,
    );
    for (const { path, md5, saved_path } of files) {
      expect(md5).toBe(md5OfBytes(Buffer.from(path)));
      expect(await md5OfFile(join(system.folder, "downloads", saved_path!))).toBe(md5!);
    }
    const name = record.saved_path!.split("/")[1]!;
    expect(atServer("md5sum", "-c", "--quiet", `${name}.md5`)).toBe("");
  }
});

test.skipIf(!isLinux)("a name that is not UTF-8 has a row that says so", async () => {
  fs.mkdirSync(system.source("unusable"));
  for (const bytes of UNUSABLE) {
    const path = Buffer.concat([Buffer.from(`${system.source("unusable")}/`), Buffer.from(bytes)]);
    fs.writeFileSync(path, "");
  }
  fs.writeFileSync(system.source("unusable/usable"), "");
  const record = await pull("unusable");
  expect(record).toMatchObject({ status: "completed", files_received: 1 });
  const skipped = (await filesOf(record)).filter(({ status }) => status === "skipped");
  expect(skipped.map(({ error_code }) => error_code)).toEqual(UNUSABLE.map(() => "name_unusable"));
});

test.skipIf(!isLinux)("deep trees and empty files lie at the server as at the site", async () => {
  const folders = [`tree/${"d/".repeat(400)}`, "tree/a/b/c/", "tree/two  spaces/é/"];
  for (const folder of folders) {
    fs.mkdirSync(system.source(folder), { recursive: true });
    fs.writeFileSync(system.source(`${folder}empty`), "");
    fs.writeFileSync(system.source(`${folder}full`), folder);
  }
  const tooDeep = `tree/${"e/".repeat(440)}`;
  fs.mkdirSync(system.source(tooDeep), { recursive: true });
  fs.writeFileSync(system.source(`${tooDeep}file`), "");
  const record = await pull("tree");
  expect(record).toMatchObject({ status: "completed", files_received: 6, files_skipped: 1 });
  const skipped = (await filesOf(record)).find(({ status }) => status === "skipped");
  expect(skipped).toMatchObject({ path: `${tooDeep}file`, error_code: "name_unusable" });
  const name = record.saved_path!.split("/")[1]!;
  expect(atServer("md5sum", "-c", "--quiet", `${name}.md5`)).toBe("");
  const differ = atServer("diff", "-r", system.source("tree"), `${name}/tree`);
  expect(differ).toBe(`Only in ${system.source("tree")}: e\n`);
});
