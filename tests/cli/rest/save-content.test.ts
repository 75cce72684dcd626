import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ApiClient } from "../../../lib/cli/rest/api-client.ts";
import { partPath } from "../../../lib/cli/rest/part-file.ts";
import { saveContent } from "../../../lib/cli/rest/save-content.ts";
import { storedFileOf } from "../../../lib/cli/rest/stored-file.ts";
import { downloadRecord } from "../../support/records.ts";
import { spawnSync } from "../../support/spawn.ts";

const BYTES = randomBytes(300_000);
const MD5 = new Bun.CryptoHasher("md5").update(BYTES).digest("hex");
const FILE = storedFileOf(
  downloadRecord({ status: "completed", total_size: BYTES.length, md5: MD5 }),
);

let folder: string;
let path: string;
/** The path of the temporary file that holds the bytes until the file is complete. */
let part: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-save-"));
  path = join(folder, "file.bin");
  part = partPath(path, `md5:${MD5}`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Returns a server's response to a request for the bytes from an offset on. */
type Answer = (offset: number) => Response;

const headers = { etag: `"${MD5}"` };
const whole: Answer = (offset) => new Response(BYTES.subarray(offset), { status: 206, headers });
/** Returns a response that ends too early, after `count` bytes. */
const broken =
  (count: number): Answer =>
  (offset) =>
    new Response(BYTES.subarray(offset, offset + count), { status: 206, headers });

/** Saves the file from a server that gives these answers in order, and repeats the last one. */
async function save(answers: Answer[], options: { signal?: AbortSignal; patience?: number } = {}) {
  const offsets: number[] = [];
  const progress: number[] = [];
  await using server = {
    http: Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1]);
        const answer = answers[Math.min(offsets.length, answers.length - 1)];
        offsets.push(offset);
        return answer?.(offset) ?? new Response(null, { status: 500 });
      },
    }),
    [Symbol.asyncDispose]: () => server.http.stop(true),
  };
  const api = new ApiClient({ server: `http://127.0.0.1:${server.http.port}` });
  const saved = saveContent(api, FILE, path, {
    signal: new AbortController().signal,
    patience: 10_000,
    onProgress: (bytes) => progress.push(bytes),
    ...options,
  });
  const outcome = await saved.then(
    (fresh) => ({ fresh, error: null }),
    (error: Error) => ({ fresh: null, error: error.message }),
  );
  return { ...outcome, offsets, progress };
}

describe("saving", () => {
  test("gives the file its name once it is whole", async () => {
    const { fresh, offsets, progress } = await save([whole]);
    expect(fresh).toBe(true);
    expect(offsets).toEqual([0]);
    expect(progress.at(-1)).toBe(BYTES.length);
    expect(await readFile(path)).toEqual(BYTES);
    expect(await readdir(folder)).toEqual(["file.bin"]);
  });

  test("goes on where the connection broke, and where the server was away", async () => {
    const away: Answer = () => new Response("starting", { status: 502 });
    const { fresh, offsets } = await save([broken(100_000), away, whole]);
    expect(fresh).toBe(true);
    expect(offsets).toEqual([0, 100_000, 100_000]);
    expect(await readFile(path)).toEqual(BYTES);
  });

  test("goes on with what an earlier run left behind", async () => {
    await writeFile(part, BYTES.subarray(0, 200_000));
    expect((await save([whole])).offsets).toEqual([200_000]);
    expect(await readFile(path)).toEqual(BYTES);
  });

  test.each([
    ["damaged", Buffer.alloc(200_000), [200_000, 0]],
    ["damaged, and as long as the file", Buffer.alloc(BYTES.length), [0]],
    ["too long", Buffer.alloc(BYTES.length + 1), [0]],
  ])("starts over where that is %s", async (_, left, offsets) => {
    await writeFile(part, left);
    const outcome = await save([whole]);
    expect(outcome).toMatchObject({ fresh: true, offsets });
    expect(await readFile(path)).toEqual(BYTES);
    expect(await readdir(folder)).toEqual(["file.bin"]);
  });

  test("has nothing to do where the same file is there", async () => {
    await writeFile(path, BYTES);
    expect(await save([whole])).toMatchObject({ fresh: false, offsets: [] });
  });

  test("never takes the place of another file, not of one that comes meanwhile either", async () => {
    const { error } = await save([
      (offset) => {
        writeFileSync(path, "mine");
        return whole(offset);
      },
    ]);
    expect(error).toContain(path);
    expect(await readFile(path, "utf8")).toBe("mine");
  });

  test("takes no bytes that have another sum", async () => {
    const wrong: Answer = () => new Response(randomBytes(BYTES.length), { status: 206, headers });
    expect((await save([wrong])).error).toContain("are not those of the file");
    expect(await readdir(folder)).toEqual([]);
  });

  test.each<[string, Answer]>([
    ["another file", () => new Response(BYTES, { status: 206, headers: { etag: '"0"' } })],
    ["not the part that was asked for", () => new Response(BYTES, { headers })],
    ["an error", () => Response.json({ error: "gone", code: "not_found" }, { status: 404 })],
  ])("fails at once where the server has %s", async (_, answer) => {
    const { error, offsets } = await save([answer]);
    expect(error).not.toBeNull();
    expect(offsets).toHaveLength(1);
  });

  test("gives up on a server that does not come back, and keeps what it has", async () => {
    const { error } = await save([broken(100_000), broken(0)], { patience: 0 });
    expect(error).not.toBeNull();
    expect(await readdir(folder)).toEqual([basename(part)]);
    expect((await readFile(part)).length).toBe(100_000);
  });

  test("ends with its signal, and keeps what it has", async () => {
    const end = new AbortController();
    const stopping: Answer = (offset) => {
      setTimeout(() => end.abort(new Error("enough")), 0);
      return broken(100_000)(offset);
    };
    expect((await save([stopping, broken(0)], { signal: end.signal })).error).toBe("enough");
    expect(await readdir(folder)).toEqual([basename(part)]);
  });

  test("keeps the part under a short name, however long the file's is", async () => {
    path = join(folder, "é".repeat(127));
    expect(await save([broken(100_000), broken(0)], { patience: 0 })).not.toMatchObject({
      error: null,
    });
    const [name = ""] = await readdir(folder);
    expect(name).toMatch(/^\.fds-[\da-f]{32}\.part$/);
    expect((await save([whole])).offsets).toEqual([100_000]);
    expect(await readFile(path)).toEqual(BYTES);
  });

  describe.skipIf(process.platform === "win32")("in the place of the part (needs POSIX)", () => {
    let stranger: string;
    beforeEach(async () => {
      stranger = join(folder, "stranger.txt");
      await writeFile(stranger, "mine");
    });

    test.each([
      ["a link to another file", () => symlink(stranger, part)],
      ["a second name of another file", () => link(stranger, part)],
      ["a link that leads nowhere", () => symlink(join(folder, "nothing"), part)],
      ["a FIFO", async () => void spawnSync(["mkfifo", part])],
    ])("%s is removed, and not written to", async (_, put) => {
      await put();
      expect(await save([whole])).toMatchObject({ fresh: true, offsets: [0] });
      expect((await lstat(path)).isFile()).toBe(true);
      expect(await readFile(path)).toEqual(BYTES);
      expect(await readFile(stranger, "utf8")).toBe("mine");
      expect((await readdir(folder)).toSorted()).toEqual(["file.bin", "stranger.txt"]);
    });

    test("a folder is an error that names it", async () => {
      await mkdir(part);
      expect((await save([whole])).error).toContain(part);
    });
  });
});
