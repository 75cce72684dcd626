import { expect, test } from "bun:test";
import { OneByOne } from "../../lib/util/one-by-one.ts";

test("one begins when the one before it is over, also if that failed", async () => {
  const line = new OneByOne();
  const log: string[] = [];
  const work = (name: string, error?: Error) => async () => {
    log.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`${name} ends`);
    if (error) throw error;
    return name;
  };
  const all = [line.run(work("a")), line.run(work("b", new Error("EIO"))), line.run(work("c"))];
  expect(await Promise.allSettled(all)).toMatchObject([
    { value: "a" },
    { reason: new Error("EIO") },
    { value: "c" },
  ]);
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});
