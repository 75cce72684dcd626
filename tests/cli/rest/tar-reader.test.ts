import { describe, expect, test } from "bun:test";
import { TarReader } from "../../../lib/cli/rest/tar-reader.ts";
import { TAR_END, tarHeader, tarPadding } from "../../../lib/server/http/tar.ts";
import { Random } from "../../support/random.ts";

/* Reading the tar archives that the server makes, in pieces of any length. */

const FILES = [
  { path: "a.txt", content: "a" },
  { path: "empty", content: "" },
  { path: `deep/${"d/".repeat(200)}end`, content: "x".repeat(512) },
  { path: "é/ü.csv", content: "y".repeat(513) },
  { path: "z".repeat(255), content: "z".repeat(5_000) },
];

const ARCHIVE = Buffer.concat([
  ...FILES.flatMap(({ path, content }) => {
    const size = Buffer.byteLength(content);
    return [tarHeader({ path, size, mtime: 0 }), Buffer.from(content), tarPadding(size)];
  }),
  TAR_END,
]);

/** Cuts bytes into pieces. @param lengthOf returns the length of the next piece, in bytes */
async function* inPieces(bytes: Uint8Array, lengthOf = () => 64 * 1024) {
  for (let at = 0; at < bytes.length;) {
    const end = at + lengthOf();
    yield bytes.slice(at, end);
    at = end;
  }
}

/** Reads an archive. @param isRead whether the bytes of the file with this path are read, or skipped */
async function readAll(reader: TarReader, isRead: (path: string) => boolean = () => true) {
  const files: { path: string; content: string }[] = [];
  for (let file = await reader.next(); file !== null; file = await reader.next()) {
    const pieces: Uint8Array[] = [];
    if (isRead(file.path)) for await (const piece of reader.data()) pieces.push(piece);
    files.push({ path: file.path, content: Buffer.concat(pieces).toString() });
  }
  return files;
}

test.each([1, 2, 3, 4, 5])("is read as it was made, in pieces of seed %i", async (seed) => {
  const random = new Random(seed);
  const most = random.pick([1, 7, 512, 5_000]);
  const reader = new TarReader(inPieces(ARCHIVE, () => random.int(1, most)));
  expect(await readAll(reader)).toEqual(FILES);
});

test("what nobody reads is passed over", async () => {
  const reader = new TarReader(inPieces(ARCHIVE, () => 100));
  const files = await readAll(reader, (path) => path === "é/ü.csv");
  expect(files.map(({ path }) => path)).toEqual(FILES.map(({ path }) => path));
  expect(files.map(({ content }) => content.length)).toEqual([0, 0, 0, 513, 0]);
});

test("a size over 8 GiB is told", async () => {
  const header = tarHeader({ path: "large", size: 9 * 1024 ** 3, mtime: 0 });
  const file = await new TarReader(inPieces(header)).next();
  expect(file).toEqual({ path: "large", size: 9 * 1024 ** 3 });
});

describe("what is no archive of files is refused:", () => {
  /** Returns the header of a file with changes. @param change changes the bytes of the valid header */
  const changed = (change: (header: Uint8Array) => void) => {
    const header = tarHeader({ path: "a", size: 4, mtime: 0 });
    change(header);
    return header;
  };
  const put = (header: Uint8Array, at: number, text: string) => header.set(Buffer.from(text), at);
  /** Returns an extended (pax) header with this text. */
  const extended = (text: string, size = text.length) => {
    const header = changed((bytes) => {
      put(bytes, 156, "x");
      put(bytes, 124, size.toString(8).padStart(11, "0"));
    });
    return Buffer.concat([header, Buffer.from(text), tarPadding(text.length)]);
  };

  test.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array(0)],
    ["a text", Buffer.from("no archive ".repeat(100))],
    ["one that ends early", ARCHIVE.subarray(0, 700)],
    ["a link", changed((header) => put(header, 156, "2"))],
    ["a folder", changed((header) => put(header, 156, "5"))],
    ["a size that is no number", changed((header) => put(header, 124, "what is it"))],
    ["a size below 0", changed((header) => put(header, 124, "-0000000001"))],
    ["an extended header without end", extended("", 8 ** 10)],
    ["a record that is longer than its header", extended("99 path=a\n")],
    ["a record of no length", extended("0 path=a\n")],
    ["a record with no space", extended("path=a\n")],
    [
      "one extended header after the other",
      Buffer.concat([extended("9 path=a\n"), extended("9 path=b\n")]),
    ],
    ["a size in words", extended("12 size=ten\n")],
  ])("%s", async (_, bytes) => {
    const read = readAll(new TarReader(inPieces(bytes)));
    await expect(read).rejects.toThrow("look at the server: what it sends is not the archive");
  });
});
