import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { endpoints } from "../../lib/api/endpoints.ts";
import { ON_S3 } from "../support/backend.ts";
import { spawn } from "../support/spawn.ts";
import {
  call,
  expectDocumented,
  expectError,
  expectNoSecretInLogs,
  ids,
  of,
  SIZE,
  system,
  useRestStage,
} from "../support/rest-stage.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The content of completed downloads over REST, from a real server. */

const NO_CURL = Bun.which("curl") ? "" : " (needs curl: apt-get install curl)";

useRestStage();

describe("the content", () => {
  const content = (headers: Record<string, string> = {}, method = "GET") =>
    fetch(system.url + of(ids.completed, "/content"), {
      method,
      headers: { Authorization: `Bearer ${API_TOKEN}`, ...headers },
    });

  test("is the file, with what a program that downloads wants to know", async () => {
    const bytes = await Bun.file(system.source("data.bin")).bytes();
    const response = await content();
    expect(response.status).toBe(200);
    const { saved_path, md5 } = await system.api.download(ids.completed);
    const name = saved_path!.split("/")[1];
    expect(Object.fromEntries(response.headers)).toMatchObject({
      ...(ON_S3 === "" && { "content-length": String(SIZE) }),
      etag: `"${md5}"`,
      "accept-ranges": "bytes",
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${name}"; filename*=UTF-8''${name}`,
    });
    expect(Buffer.compare(await response.bytes(), bytes)).toBe(0);
  });

  test("comes in parts", async () => {
    const bytes = await Bun.file(system.source("data.bin")).bytes();
    for (const [range, start, end] of [
      ["bytes=0-0", 0, 1],
      ["bytes=100-199999", 100, SIZE],
      ["bytes=-5", SIZE - 5, SIZE],
    ] as const) {
      const response = await content({ Range: range });
      expect(response.status).toBe(206);
      expect(response.headers.get("Content-Range")).toBe(`bytes ${start}-${end - 1}/${SIZE}`);
      if (ON_S3 === "") {
        expect(response.headers.get("Content-Length")).toBe(String(end - start));
      }
      expect(Buffer.compare(await response.bytes(), bytes.slice(start, end))).toBe(0);
    }
  });

  test("outside the file is not there", async () => {
    const response = await content({ Range: `bytes=${SIZE}-` });
    expect(response.status).toBe(416);
    expect(response.headers.get("Content-Range")).toBe(`bytes */${SIZE}`);
  });

  test("that is known already is not sent again", async () => {
    const etag = (await content({}, "HEAD")).headers.get("ETag")!;
    const known = await content({ "If-None-Match": etag });
    expect([known.status, await known.text()]).toEqual([304, ""]);
    const resumed = await content({ "If-Range": etag, Range: "bytes=1-1" });
    expect(resumed.status).toBe(206);
    const changed = await content({ "If-Range": '"another"', Range: "bytes=1-1" });
    expect([changed.status, (await changed.bytes()).length]).toEqual([200, SIZE]);
  });

  test.skipIf(NO_CURL !== "")(
    `that is not there is not saved as if it were, by who saves what a link gives${NO_CURL}`,
    async () => {
      const saved = async (flags: string) => {
        const folder = await mkdtemp(join(system.folder, "saved-"));
        const url = system.url + of(ids.failed, "/content");
        const header = `Authorization: Bearer ${API_TOKEN}`;
        const curl = spawn(["curl", "-s", "-H", header, flags, url], { cwd: folder });
        await curl.exited;
        const names = await readdir(folder);
        return Promise.all(
          names.map(async (name) => [name, await Bun.file(join(folder, name)).text()] as const),
        );
      };
      expect(await saved("-OJ")).toEqual([
        ["error.json", expect.stringContaining("download_not_finished")],
      ]);
      // With -f, some versions of curl create an empty file, as lib/api/README.md says.
      for (const file of await saved("-fOJ")) expect(file).toEqual(["error.json", ""]);
    },
  );

  test("by HEAD is its headers", async () => {
    const response = await content({}, "HEAD");
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Length")).toBe(String(SIZE));
    expect(response.headers.get("ETag")).toMatch(/^"[0-9a-f]{32}"$/);
    expect(await response.text()).toBe("");
  });

  test.each(["failed", "cancelled", "queued", "downloading"] as const)(
    "of a %s download is not there",
    async (status) => {
      const answer = await call("GET", of(ids[status], "/content"));
      expectError(answer, "download_not_finished", new RegExp(status));
      expect(answer.headers.get("Content-Disposition")).toBe('inline; filename="error.json"');
      expectDocumented(endpoints.downloadContent, answer);
      expect((await call("HEAD", of(ids[status], "/content"))).status).toBe(409);
    },
  );

  test("that was taken away from the disk is told so", async () => {
    await Bun.write(system.source("empty.bin"), "");
    const id = await system.pull("empty.bin");
    const { saved_path } = await system.ended(id);
    const response = await call("GET", of(id, "/content"));
    expect(response).toMatchObject({ status: 200, body: "" });
    await Bun.file(join(system.folder, "downloads", saved_path!)).delete();
    const answer = await call("GET", of(id, "/content"));
    expectError(answer, "not_found", /removed or changed/);
    expectDocumented(endpoints.downloadContent, answer);
  });

  test.skipIf(process.platform === "win32")(
    "has a name that no header is broken by (needs POSIX file names)",
    async () => {
      for (const name of [
        'a"b;c.txt',
        "100%41.txt",
        "a\r\nX-Evil: 1.txt",
        "смета 1.txt",
        "a'(*).txt",
        "x\\..\\y.txt",
      ]) {
        await Bun.write(system.source(name), name);
        const id = await system.pull(name);
        const { status, saved_path } = await system.ended(id);
        expect(status).toBe("completed");
        const response = await call("GET", of(id, "/content"));
        expect(response).toMatchObject({ status: 200, body: name });
        expect(response.headers.has("X-Evil")).toBe(false);
        const disposition = response.headers.get("Content-Disposition")!;
        const [, plain, encoded] =
          /^attachment; filename="([^"\\]*)"; filename\*=UTF-8''([\w.%!~-]*)$/.exec(disposition)!;
        expect(`site-1/${decodeURIComponent(encoded!)}`).toBe(saved_path!);
        expect(plain).toMatch(/^[\x20-\x7e]+$/);
      }
    },
  );
});

test("no log holds a secret", expectNoSecretInLogs);
