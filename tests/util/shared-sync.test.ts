import { expect, test } from "bun:test";
import { SharedSync } from "../../lib/util/shared-sync.ts";

/** A fake disk, whose flushes end when the test says so. */
function slowDisk() {
  const flushes: { folder: string; end: (error?: Error) => void }[] = [];
  const shared = new SharedSync((folder) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    flushes.push({ folder, end: (error) => (error ? reject(error) : resolve()) });
    return promise;
  });
  return { flushes, shared };
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

test("those who come while a flush runs share the next one, which begins after it", async () => {
  const { flushes, shared } = slowDisk();
  const first = shared.flush("a");
  const later = [shared.flush("a"), shared.flush("a"), shared.flush("a")];
  await settle();
  expect(flushes).toHaveLength(1);
  flushes[0]!.end();
  await first;
  await settle();
  expect(flushes).toHaveLength(2);
  const last = shared.flush("a");
  flushes[1]!.end();
  await Promise.all(later);
  await settle();
  expect(flushes).toHaveLength(3);
  flushes[2]!.end();
  await last;
});

test("folders have nothing to do with each other", async () => {
  const { flushes, shared } = slowDisk();
  const both = [shared.flush("a"), shared.flush("b")];
  expect(flushes.map(({ folder }) => folder)).toEqual(["a", "b"]);
  for (const { end } of flushes) end();
  await Promise.all(both);
});

test("a flush that fails is told to its own callers alone", async () => {
  const { flushes, shared } = slowDisk();
  const first = shared.flush("a");
  const second = shared.flush("a");
  flushes[0]!.end(new Error("EIO"));
  await expect(first).rejects.toThrow("EIO");
  await settle();
  flushes[1]!.end();
  await second;
});
