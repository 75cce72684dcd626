import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import type { SetFileRecord } from "../../../lib/api/sets.ts";
import { ApiClient } from "../../../lib/cli/rest/api-client.ts";
import { partPath } from "../../../lib/cli/rest/part-file.ts";
import { saveSet } from "../../../lib/cli/rest/save-set.ts";
import { downloadRecord, setFileRecord } from "../../support/records.ts";

/* Saving the files of a set on this machine, from a server that may send anything. */

const FOLDER = "site-1/20260102_030405_logs";
const md5 = (data: string) => new Bun.CryptoHasher("md5").update(data).digest("hex");

let base: string;
/** The folder in which the set is saved. */
let target: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "fds-set-"));
  target = join(base, "target");
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** Returns the record of a file in the set. The content of the file is its path. */
const row = (place: string, fields: Partial<SetFileRecord> = {}) =>
  setFileRecord(FOLDER, place, fields);

/** Returns the digest of the `.md5` file that belongs to these records. */
const sumsOf = (rows: SetFileRecord[]) =>
  md5(
    rows
      .filter(({ saved_path }) => saved_path !== null)
      .map((one) => `${one.md5}  ${one.saved_path?.slice("site-1/".length)}\n`)
      .join(""),
  );

interface Answers {
  /** Checksum of the set that the download's record states. Default: the right one. */
  digest?: string;
  /** Returns the server's response to a request for a file; null or missing: the file's content. */
  content?: (path: string, tries: number) => Response | null;
  /** Returns the server's response to a request for a page of the list; null or missing: the correct page. */
  page?: (tries: number) => Response | null;
  signal?: AbortSignal;
}

/** Saves a set from a server whose list has two rows on each page. */
async function save(rows: SetFileRecord[], { digest, content, page, signal }: Answers = {}) {
  const fetched: string[] = [];
  let pages = 0;
  await using server = {
    http: Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname.endsWith("/files")) {
          const answer = page?.(pages++);
          if (answer) return answer;
          const from = Number(searchParams.get("cursor") ?? 0);
          const next_cursor = from + 2 < rows.length ? String(from + 2) : null;
          return Response.json({ files: rows.slice(from, from + 2), next_cursor });
        }
        const path = searchParams.get("path") ?? "";
        fetched.push(path);
        const answer = content?.(path, fetched.filter((one) => one === path).length);
        const headers = { etag: `"${rows.find((one) => one.path === path)?.md5}"` };
        return answer ?? new Response(path, { status: 206, headers });
      },
    }),
    [Symbol.asyncDispose]: () => server.http.stop(true),
  };
  const record: DownloadRecord = downloadRecord({
    kind: "set",
    status: "completed",
    saved_path: FOLDER,
    md5: digest ?? sumsOf(rows),
  });
  const api = new ApiClient({ server: `http://127.0.0.1:${server.http.port}` });
  const saved = saveSet(api, record, target, {
    signal: signal ?? new AbortController().signal,
    patience: 10_000,
    onProgress: () => undefined,
  });
  const outcome = await saved.then(
    (result) => ({ ...result, error: null }),
    (error: Error) => ({ error: error.message }),
  );
  return { ...outcome, fetched };
}

const all = async () => (await readdir(base, { recursive: true })).toSorted();

describe("saving a set", () => {
  test("brings each file to its place, page by page, and makes its folders", async () => {
    const rows = ["a", "deep/b", "deep/er/c", "d", "e"].map((place) => row(place));
    const skipped = row("f", { status: "skipped", saved_path: null, md5: null });
    expect(await save([...rows, skipped])).toMatchObject({ saved: 5, present: 0, failed: 0 });
    expect(await readFile(join(target, "deep/er/c"), "utf8")).toBe("deep/er/c");
    expect((await lstat(join(target, "a"))).mtime.toISOString()).toBe("2023-11-14T22:13:20.000Z");
    expect((await readdir(target, { recursive: true })).toSorted()).toEqual([
      "a",
      "d",
      "deep",
      "deep/b",
      "deep/er",
      "deep/er/c",
      "e",
    ]);
  });

  test("of nothing makes nothing", async () => {
    const record = downloadRecord({ kind: "set", status: "completed" });
    const api = new ApiClient({ server: "http://127.0.0.1:1" });
    const options = { signal: new AbortController().signal, patience: 0, onProgress: () => {} };
    expect(await saveSet(api, record, target, options)).toMatchObject({ saved: 0 });
    expect(await all()).toEqual([]);
  });

  test("outlives a server that is away for a while, of the list and of a file", async () => {
    const away = () => new Response("starting", { status: 502 });
    const outcome = await save([row("a"), row("b"), row("c")], {
      page: (tries) => (tries === 1 ? away() : null),
      content: (path, tries) => (path === "b" && tries === 1 ? away() : null),
    });
    expect(outcome).toMatchObject({ saved: 3, error: null });
  });

  test("fetches no file again that is there, and fetches one that is there in part", async () => {
    await mkdir(target);
    await writeFile(join(target, "a"), "a");
    expect(await save([row("a"), row("b")])).toMatchObject({
      saved: 1,
      present: 1,
      fetched: ["b"],
    });
  });

  test.each([
    [
      "was removed at the server",
      () => Response.json({ error: "gone", code: "not_found" }, { status: 404 }),
    ],
    [
      "has other bytes",
      () => new Response("xxx", { status: 206, headers: { etag: `"${md5("bad")}"` } }),
    ],
    [
      "has more bytes",
      () => new Response("badd", { status: 206, headers: { etag: `"${md5("bad")}"` } }),
    ],
  ])("tells of a file that %s, and brings the others", async (_, answer) => {
    const content = (path: string) => (path === "bad" ? answer() : null);
    const outcome = await save([row("a"), row("bad"), row("c")], { content });
    expect(outcome).toMatchObject({
      saved: 2,
      failed: 1,
      error: null,
      problems: [expect.any(String)],
    });
    const names = (await readdir(target)).filter((name) => !name.startsWith("."));
    expect(names.toSorted()).toEqual(["a", "c"]);
  });

  test("ends at once where the server gives nothing to us", async () => {
    const denied = () => Response.json({ error: "no", code: "forbidden" }, { status: 403 });
    const outcome = await save([row("a"), row("b")], { content: denied });
    expect(outcome.error).toBe("no");
  });

  test("ends with its signal", async () => {
    const end = new AbortController();
    const content = () => {
      end.abort(new Error("enough"));
      return null;
    };
    expect((await save([row("a")], { content, signal: end.signal })).error).toBe("enough");
  });
});

describe("a server that lies", () => {
  test.each([
    "../outside",
    "a/../../outside",
    "a//b",
    "./a",
    ".hidden",
    "a\\..\\b",
    "con",
    "a\u0000b",
    "a\nb",
    "x".repeat(300),
  ])("cannot name a file %j", async (place) => {
    const { error, ...outcome } = await save([row("good"), row(place)]);
    const isRefused = error !== null || ("failed" in outcome && outcome.failed === 1);
    expect(isRefused).toBe(true);
    expect((await all()).filter((name) => name.includes("outside"))).toEqual([]);
    for (const name of await readdir(target).catch(() => []))
      expect(name).toMatch(/^(?:good|\.fds-.+\.part)$/);
  });

  test.each([
    ["files", 1000],
    ["empty pages", 0],
  ])("cannot list %s without end", async (_, size) => {
    const files = Array<SetFileRecord>(size).fill(
      row("f", { status: "skipped", saved_path: null }),
    );
    const page = () => Response.json({ files, next_cursor: "7" });
    expect((await save([], { page })).error).toBe(
      "look at the server: it lists more files than a set can have",
    );
  });

  test("cannot have a file saved that lies elsewhere than the set", async () => {
    const elsewhere = row("a", { saved_path: "site-1/other/a" });
    expect(await save([elsewhere])).toMatchObject({ saved: 0, failed: 1 });
  });

  test.each([
    ["leaves one out", (rows: SetFileRecord[]) => rows.slice(1)],
    ["adds one", (rows: SetFileRecord[]) => [...rows, row("more")]],
    [
      "has another digest for one",
      (rows: SetFileRecord[]) => rows.map((one) => ({ ...one, md5: md5("x") })),
    ],
    [
      "gives no digest for one",
      ([first, ...rows]: SetFileRecord[]) => [{ ...first!, md5: null }, ...rows],
    ],
  ])("is told of when its list %s", async (_, change) => {
    const rows = [row("a"), row("b"), row("c")];
    const outcome = await save(change(rows), { digest: sumsOf(rows) });
    expect(outcome.error ?? ("problems" in outcome && outcome.problems.join())).toMatch(
      /not those that the set was published with|answered 206 with what is not/,
    );
  });
});

describe.skipIf(process.platform === "win32")("what is in the way (needs POSIX)", () => {
  let outside: string;
  beforeEach(async () => {
    outside = join(base, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "mine"), "mine");
    await mkdir(target);
  });

  test.each([
    ["a link to a folder", "deep", () => outside],
    ["a link that leads nowhere", "deep", () => join(outside, "new")],
    ["a link to a file", "deep/b", () => join(outside, "mine")],
  ])("%s is not followed", async (_, name, to) => {
    await mkdir(join(target, name, ".."), { recursive: true });
    await symlink(to(), join(target, name));
    expect(await save([row("a"), row("deep/b")])).toMatchObject({ saved: 1, failed: 1 });
    expect(await readdir(outside)).toEqual(["mine"]);
    expect(await readFile(join(outside, "mine"), "utf8")).toBe("mine");
  });

  test("a file in the place of a folder, and a folder in that of a file, stay", async () => {
    await writeFile(join(target, "deep"), "mine");
    await mkdir(join(target, "a"));
    expect(await save([row("a"), row("deep/b"), row("c")])).toMatchObject({ saved: 1, failed: 2 });
    expect(await readFile(join(target, "deep"), "utf8")).toBe("mine");
  });

  test("a folder in the place of a part is told, and the others come", async () => {
    await mkdir(partPath(join(target, "a"), `md5:${md5("a")}`));
    const outcome = await save([row("a"), row("b")]);
    expect(outcome).toMatchObject({
      saved: 1,
      failed: 1,
      problems: [expect.stringMatching("EISDIR")],
    });
  });
});
