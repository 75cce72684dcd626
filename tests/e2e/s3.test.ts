import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IN_A_FILE, setUp } from "../support/s3-pulls.ts";
import { S3System } from "../support/s3-system.ts";
import { md5OfBytes, writeRandom } from "../support/sources.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * A server with its files in S3, and its rows in Postgres unless a test says otherwise. Everything that holds
 * on a disk must hold here, too.
 */

const MiB = 1024 * 1024;

const WHEN = 45 * MiB;

test("files of any size are delivered, and served whole and by ranges", async () => {
  await using s3System = await S3System.start(IN_A_FILE);
  const { system } = s3System;
  await system.startClient();
  for (const size of [0, 1, 300_000, 8 * MiB, 8 * MiB + 1, 21 * MiB]) {
    const wanted = await writeRandom(system.source(`file-${size}`), size);
    const record = await system.ended(await system.pull(`file-${size}`));
    s3System.expectDelivered(record, wanted);
    const path = `/api/downloads/${record.download_id}/content`;
    const whole = await s3System.ask(path);
    expect([whole.status, md5OfBytes(await whole.bytes())]).toEqual([200, wanted.md5]);
    if (size < 3) continue;
    const part = await s3System.ask(path, { Range: `bytes=1-${size - 2}` });
    const stored = s3System.stored(record.saved_path ?? "") ?? new Uint8Array();
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.bytes()).equals(stored.subarray(1, size - 1))).toBe(true);
  }
  await s3System.expectTidy();
  expect(s3System.published).toHaveLength(6);
});

test("a download that is cancelled leaves nothing in S3", async () => {
  await using setup = await setUp();
  const { s3System, proxy } = setup;
  const { system } = s3System;
  const come = proxy.after("up", WHEN, () => undefined);
  const downloadId = await system.pull("file");
  await come;
  await system.api.cancel(downloadId);
  await s3System.expectTidy();
  expect(s3System.published).toEqual([]);
});

test("what is removed has no key any more, and a set that shares with it stays whole", async () => {
  await using s3System = await S3System.start();
  const { system } = s3System;
  await mkdir(join(system.folder, "root/logs"));
  for (const name of ["a", "b"]) {
    await writeFile(join(system.folder, "root/logs", name), name.repeat(10));
    await utimes(join(system.folder, "root/logs", name), 1_700_000_000, 1_700_000_000);
  }
  await writeRandom(system.source("one.bin"), 1_000);
  await system.startClient();
  const pullSet = async () => {
    const what = { client_id: "site-1", paths: ["logs"], unchanged: "skip" as const };
    return system.ended((await system.api.startDownload(what)).download_id);
  };
  const [first, second] = [await pullSet(), await pullSet()];
  expect(second).toMatchObject({ files_unchanged: 2 });
  const file = await system.ended(await system.pull("one.bin"));
  // The second set counts in full, because an unchanged file is copied inside S3.
  expect(await system.metric("fds_stored_bytes")).toBe(1_040);
  for (const { download_id } of [first, file]) await system.api.removeContent(download_id);
  expect(await system.metric("fds_stored_bytes")).toBe(20);
  const own = (path: string) => path.startsWith(`${second.saved_path}`);
  expect(s3System.published.filter((path) => !own(path))).toEqual([]);
  expect(s3System.published).toHaveLength(3);
  expect(await system.api.removeContent(second.download_id)).toMatchObject({
    removed_at: expect.any(String),
  });
  expect(s3System.published).toEqual([]);
});

test("a quota counts what is in the bucket", async () => {
  await using s3System = await S3System.start({ QUOTA_PER_CLIENT: "1MiB" });
  const { system } = s3System;
  await system.startClient();
  await writeRandom(system.source("a"), 700_000);
  await writeRandom(system.source("b"), 700_000);
  await system.ended(await system.pull("a"));
  const waiting = await system.pull("b");
  await waitFor(async () => {
    const { error_code } = await system.api.download(waiting);
    return error_code === "storage_full";
  }, "the second one to wait");
  for (const path of s3System.published) s3System.s3.objects.delete(`sites/${path}`);
  expect((await system.ended(waiting)).status).toBe("completed");
});

test("a set is published by its checksums, served as files, and not sent again", async () => {
  await using s3System = await S3System.start();
  const { system } = s3System;
  const root = join(system.folder, "root");
  await mkdir(join(root, "logs/deep/er"), { recursive: true });
  for (let n = 0; n < 30; n++)
    await writeFile(join(root, "logs", `day ${n}.log`), `${n}\n`.repeat(n));
  const large = await writeRandom(join(root, "logs/deep/large.bin"), 19 * MiB);
  await writeFile(join(root, "logs/deep/er/empty.txt"), "");
  await system.startClient();
  const pull = async () => {
    const answer = await fetch(`${system.url}/api/download`, {
      method: "POST",
      body: JSON.stringify({ client_id: "site-1", paths: ["logs"], unchanged: "skip" }),
      headers: { Authorization: `Bearer ${API_TOKEN}`, "Content-Type": "application/json" },
    });
    const { download_id } = (await answer.json()) as { download_id: string };
    return system.ended(download_id);
  };
  const first = await pull();
  expect(first).toMatchObject({ status: "completed", files_received: 32, files_skipped: 0 });
  const sums = s3System.stored(`${first.saved_path}.md5`);
  expect(md5OfBytes(sums ?? new Uint8Array())).toBe(first.md5 ?? "");
  for (const line of new TextDecoder()
    .decode(sums ?? undefined)
    .trimEnd()
    .split("\n")) {
    const [md5 = "", path = ""] = line.split("  ");
    expect(md5OfBytes(s3System.stored(`site-1/${path}`) ?? new Uint8Array())).toBe(md5);
  }
  const content = `/api/downloads/${first.download_id}/content`;
  const one = await s3System.ask(`${content}?path=logs/deep/large.bin`);
  expect(md5OfBytes(await one.bytes())).toBe(large.md5);
  const tar = await (await s3System.ask(content)).bytes();
  expect(tar.length).toBeGreaterThan(19 * MiB);
  await s3System.expectTidy();

  const second = await pull();
  expect(second.status).toBe("completed");
  expect(second.files_received! + second.files_unchanged!).toBe(32);
  expect(s3System.published).toHaveLength(2 * 33);
  await s3System.expectTidy();
});

test("no log has the secret", async () => {
  await using s3System = await S3System.start({ LOG_LEVEL: "debug" });
  const { system, s3 } = s3System;
  await system.startClient();
  await writeRandom(system.source("file"), 10_000);
  s3.fault = (request) =>
    request.startsWith("PUT") ? { status: 403, code: "AccessDenied" } : null;
  const record = await system.ended(await system.pull("file"));
  expect(record).toMatchObject({
    status: "failed",
    error_code: "storage_error",
    error: expect.stringContaining("S3: AccessDenied (403)"),
  });
  for (const program of system.programs) {
    expect(JSON.stringify(program.log())).not.toContain(s3.secretAccessKey);
  }
});
