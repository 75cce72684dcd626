import { expect, test } from "bun:test";
import { MessageAllowance } from "../../../lib/server/clients/message-allowance.ts";

/** Takes messages until one is refused. @returns how many were allowed, at most 1000 */
function count(allowance: MessageAllowance): number {
  let taken = 0;
  while (taken < 1_000 && allowance.take()) taken++;
  return taken;
}

test("so many may come at once, and so many more each second, up to as many", () => {
  let now = 0;
  const allowance = new MessageAllowance({ burst: 100, perSecond: 10 }, () => now);
  expect(count(allowance)).toBe(100);
  now += 50;
  expect(count(allowance)).toBe(0);
  now += 50;
  expect(count(allowance)).toBe(1);
  now += 2_000;
  expect(count(allowance)).toBe(20);
  now += 3_600_000;
  expect(count(allowance)).toBe(100);
});

test("whoever says little is never stopped", () => {
  let now = 0;
  const allowance = new MessageAllowance({ burst: 5, perSecond: 10 }, () => now);
  for (let n = 0; n < 10_000; n++) {
    now += 100;
    expect(allowance.take()).toBe(true);
  }
});
