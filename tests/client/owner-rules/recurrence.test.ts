import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { Recurrence, type Repeated } from "../../../lib/client/owner-rules/recurrence.ts";

const SPAN = 1000;

let repeated: Repeated<string>[];
let recurrence: Recurrence<string>;

beforeEach(() => {
  jest.useFakeTimers();
  repeated = [];
  const onRepeated = (one: Repeated<string>) => repeated.push(one);
  recurrence = new Recurrence({ maxReported: 2, span: SPAN, onRepeated });
});
afterEach(() => {
  recurrence.end();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const take = (key: string, items: string[]) =>
  items.map((item) => recurrence.take(key, item, item.length));

test("the first ones of each key are told one by one, the others at the end of the span", () => {
  expect(take("a", ["1", "2", "3", "four"])).toEqual([true, true, false, false]);
  expect(take("b", ["1"])).toEqual([true]);
  expect(repeated).toEqual([]);
  jest.advanceTimersByTime(SPAN);
  expect(repeated).toEqual([{ first: "3", times: 2, bytes: 5 }]);
});

test("each span begins anew", () => {
  take("a", ["1", "2"]);
  jest.advanceTimersByTime(SPAN);
  expect(repeated).toEqual([]);
  expect(take("a", ["3", "4", "5"])).toEqual([true, true, false]);
  recurrence.end();
  expect(repeated).toHaveLength(1);
});

test("what has one key too many is told one by one", () => {
  for (let n = 0; n < 10_000; n++) recurrence.take(String(n), "", 0);
  expect(take("new", ["1", "2", "3"])).toEqual([true, true, true]);
  expect(take("0", ["2", "3"])).toEqual([true, false]);
});
