import { expect, test } from "bun:test";
import { chainOf, pieceName, readPieceName } from "../../../../lib/server/storage/s3/pieces.ts";
import { TemporaryS3 } from "../../../support/s3-storage.ts";
import { published } from "../storage.contract.ts";

const PARTS = "some/where/.server/parts/";

test("a file of more segments than an object has parts is made of groups", async () => {
  await using temporary = await TemporaryS3.open({ segment: 4, mostParts: 100 });
  const { s3, storage } = temporary;
  const id = Bun.randomUUIDv7();
  const writer = Bun.randomUUIDv7();
  const count = 300;
  const expected = new Uint8Array(4 * count - 1);
  for (let n = 0; n < count; n++) {
    const bytes = new Uint8Array([n >> 16, n >> 8, n, 7]).slice(0, n === count - 1 ? 3 : 4);
    expected.set(bytes, 4 * n);
    const etag = `"${new Bun.CryptoHasher("md5").update(bytes).digest("hex")}"`;
    const key = `${PARTS}${id}/${pieceName(4 * n, bytes.length, writer)}`;
    s3.objects.set(key, { bytes, etag, meta: {} });
  }
  expect(await storage.publish(id, "site-1/large")).toBe(true);
  expect(await published(storage, "site-1/large")).toEqual(expected);
  const created = s3.requests.filter((line) => line.endsWith("?uploads="));
  // Three groups, of parts of one size, as the fake wants them, and the file.
  expect(created).toHaveLength(4);
  expect(s3.keys).toEqual(["some/where/site-1/large"]);
  expect(s3.uploads.size).toBe(0);
});

test("the pieces of a part are those that follow each other, of the newest writer", () => {
  const [older, newer] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  const piece = (offset: number, length: number, writer: string) => {
    return { key: `${offset}-${writer}`, offset, length, etag: "", writer };
  };
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

test("the name of a piece says what it is, and no other name does", () => {
  const writer = Bun.randomUUIDv7();
  expect(readPieceName(pieceName(8_388_608, 17, writer))).toEqual({
    offset: 8_388_608,
    length: 17,
    writer,
  });
  for (const name of ["opened", "upload", "group-128", `12-17-${writer}`]) {
    expect(readPieceName(name)).toBeNull();
  }
});
