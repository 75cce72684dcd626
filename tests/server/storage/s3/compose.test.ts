import { expect, test } from "bun:test";
import {
  bySegment,
  chainOf,
  cutName,
  pieceName,
  readPieceName,
} from "../../../../lib/server/storage/s3/pieces.ts";
import { TemporaryS3 } from "../../../support/s3-storage.ts";
import { published } from "../storage.contract.ts";

const PARTS = "some/where/.server/parts/";

test("a file of more segments than an object has parts is made of groups", async () => {
  await using temporary = await TemporaryS3.open({ segment: 4, maxParts: 100 });
  const { s3, storage } = temporary;
  const id = Bun.randomUUIDv7();
  const writer = Bun.randomUUIDv7();
  const count = 300;
  const expected = new Uint8Array(4 * count - 1);
  for (let n = 0; n < count; n++) {
    const bytes = new Uint8Array([n >> 16, n >> 8, n, 7]).slice(0, n === count - 1 ? 3 : 4);
    expected.set(bytes, 4 * n);
    const etag = `"${new Bun.CryptoHasher("md5").update(bytes).digest("hex")}"`;
    const key = `${PARTS}${id}/${pieceName({ offset: 4 * n, length: bytes.length, writer })}`;
    s3.objects.set(key, { bytes, etag, meta: {} });
  }
  expect(await storage.publish(id, "site-1/large")).toBe(true);
  expect(await published(storage, "site-1/large")).toEqual(expected);
  const created = s3.requests.filter((line) => line.endsWith("?uploads="));
  // Four multipart uploads: three for groups of parts, as the fake S3 requires parts of equal size, and one
  // for the whole file.
  expect(created).toHaveLength(4);
  expect(s3.keys).toEqual(["some/where/site-1/large"]);
  expect(s3.uploads.size).toBe(0);
});

/** Returns a piece of a part: `length` bytes at `offset`, stored by the process `writer`. */
function piece(offset: number, length: number, writer: string) {
  return { key: `${offset}-${writer}`, etag: "", size: length, start: 0, offset, length, writer };
}

test("the pieces of a part are those that follow each other, of the newest writer", () => {
  const [older, newer] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  const chain = chainOf([
    piece(10, 5, older),
    piece(0, 10, newer),
    piece(0, 7, older),
    piece(7, 3, older),
    piece(15, 5, newer),
    piece(21, 5, newer),
  ]);
  expect(chain.map(({ key }) => key)).toEqual([`0-${newer}`, `10-${older}`, `15-${newer}`]);
});

test("what is older than a cut ends there, what is newer goes on", () => {
  const [older, newer] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  const pieces = [piece(0, 100, older), piece(40, 30, newer), piece(70, 10, older)];
  const chain = chainOf(pieces, [{ length: 40, writer: newer }]);
  expect(chain.map(({ key, length }) => [key, length])).toEqual([
    [`0-${older}`, 40],
    [`40-${newer}`, 30],
  ]);
});

test("runs are parted by segments, and tails stay as they are", () => {
  const writer = Bun.randomUUIDv7();
  const pieces = [piece(0, 250, writer), piece(250, 20, writer), piece(270, 30, writer)];
  const parted = bySegment(pieces, 100).map((segment) =>
    segment.map(({ key, start, offset, length }) => [key, start, offset, length]),
  );
  const [run, tail, rest] = [`0-${writer}`, `250-${writer}`, `270-${writer}`];
  expect(parted).toEqual([
    [[run, 0, 0, 100]],
    [[run, 100, 100, 100]],
    [
      [run, 200, 200, 50],
      [tail, 0, 250, 20],
      [rest, 0, 270, 30],
    ],
  ]);
});

test("the name of a piece says what it is, and no other name does", () => {
  const writer = Bun.randomUUIDv7();
  for (const length of [17, null]) {
    const name = { offset: 8_388_608, length, writer };
    expect(readPieceName(pieceName(name))).toEqual(name);
  }
  const others = ["opened", "upload", "group-128", `12-17-${writer}`];
  const record = `${pieceName({ offset: 0, length: null, writer })}.upload`;
  for (const name of [...others, record, cutName({ length: 5, writer })]) {
    expect(readPieceName(name)).toBeNull();
  }
});
