import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { LineLimit } from "../../lib/util/line-limit.ts";
import { Logger } from "../../lib/util/logger.ts";

let lines: Record<string, unknown>[];
let limit: LineLimit;

beforeEach(() => {
  jest.useFakeTimers();
  lines = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  limit = new LineLimit(new Logger({ level: "info", format: "json", write }));
});
afterEach(() => jest.useRealTimers());

function flood(peer: string, kind: string, times: number): void {
  const logger = limit.of(peer);
  for (let n = 0; n < times; n++) logger.warn(`${kind}: for the ${n}th time`);
}

test("lines of one kind about one peer are so many, and then some now and then", () => {
  flood("a", "junk", 1_000);
  expect(lines).toHaveLength(50);
  jest.advanceTimersByTime(5_000);
  flood("a", "junk", 1_000);
  expect(lines).toHaveLength(52);
});

test("lines of another kind, or about another peer, are written as before", () => {
  flood("a", "junk", 1_000);
  flood("b", "junk", 1);
  flood("a", "refused", 1);
  expect(lines.slice(50)).toMatchObject([
    { message: "junk: for the 0th time" },
    { message: "refused: for the 0th time" },
  ]);
});

test("lines about all peers together have a limit too", () => {
  for (let peer = 0; peer < 1_000; peer++) flood(String(peer), "junk", 10);
  expect(lines).toHaveLength(2_000);
});

test("how many were left out is told, once for each flood", () => {
  flood("a", "junk", 1_000);
  jest.advanceTimersByTime(60_000);
  expect(lines.slice(50)).toMatchObject([
    { level: "warn", message: "log lines about clients were left out", lines: 950 },
  ]);
  flood("a", "junk", 100);
  jest.advanceTimersByTime(10_000);
  expect(lines.at(-1)).toMatchObject({ lines: 70 });
});

test("lines that the level leaves out are not counted", () => {
  const logger = limit.of("a");
  for (let n = 0; n < 1_000; n++) logger.debug("junk");
  logger.info("junk");
  expect(lines).toHaveLength(1);
});
