import { describe, expect, test } from "bun:test";
import {
  type BarState,
  formatDuration,
  renderBar,
  renderPlainLine,
} from "../../../lib/cli/terminal/progress.ts";
import { completed, half, queued } from "../../support/bars.ts";
import { Random } from "../../support/random.ts";

/* The text of a single progress bar, and its width. */

const MIB = 1024 ** 2;

describe("a bar", () => {
  test.each([
    [
      112,
      "restaurant-001  ━━━━━━━━━━━━━━━━━━━━━━━━━───────────────   63%     63.0 MiB / 100.0 MiB   410.1 MiB/s  ETA 0:04",
    ],
    [80, "restaurant-001  ━━━━━───   63%     63.0 MiB / 100.0 MiB   410.1 MiB/s  ETA 0:04"],
    [79, "restaurant-001  ━━━━━━━━━━━━━━━━━━━━────────────   63%   410.1 MiB/s  ETA 0:04"],
    [50, "restaurant-001  ━━━━━━━━━━───────   63%  ETA 0:04"],
    [40, "restaurant-001   63%  ETA 0:04"],
    [30, "restaurant-001   63%"],
    [15, "restaura…   63%"],
    [4, " 63%"],
    [0, ""],
  ])("drops the less important parts to fit into %d columns", (width, line) => {
    expect(renderBar(half, width, false).trimEnd()).toBe(line);
  });

  test.each<[string, BarState, string]>([
    [
      "waits",
      queued,
      "restaurant-001  ────────    –%                      0 B                queued",
    ],
    [
      "has ended",
      completed,
      "restaurant-001  ━━━━━━━━  100%    100.0 MiB / 100.0 MiB   410.1 MiB/s  completed",
    ],
    [
      "is of an empty file",
      { ...completed, done: 0, total: 0 },
      "restaurant-001  ━━━━━━━━  100%                0 B / 0 B   410.1 MiB/s  completed",
    ],
    [
      "lacks one byte",
      { ...half, done: 100 * MIB - 1 },
      "restaurant-001  ━━━━━━━─   99%    100.0 MiB / 100.0 MiB   410.1 MiB/s  ETA 0:04",
    ],
    [
      "got more than it should",
      { ...half, done: 101 * MIB },
      "restaurant-001  ━━━━━━━━  100%    101.0 MiB / 100.0 MiB   410.1 MiB/s  ETA 0:04",
    ],
    [
      "has a wide label",
      { ...half, label: "レストラン1234" },
      "レストラン1234  ━━━━━───   63%     63.0 MiB / 100.0 MiB   410.1 MiB/s  ETA 0:04",
    ],
    [
      "waits for something, which all else gives way to",
      { ...queued, reason: `the disk is full, ${"x".repeat(60)}` },
      `restaurant-001    –%  queued: the disk is full, ${"x".repeat(23)}…`,
    ],
    [
      "is of a set, whose rate gives way",
      { ...half, label: "site-1", files: { done: 7, total: 62 } },
      "site-1  ━━━━━━━━━━───────   63%   7/62 files     63.0 MiB / 100.0 MiB  ETA 0:04",
    ],
  ])("that %s", (_, state, line) => {
    expect(renderBar(state, 80, false).trimEnd()).toBe(line);
  });

  test("has the colour of its tone, and none without colours", () => {
    expect(renderBar(half, 80, true)).toContain("\x1b[36m━━━━━\x1b[39m");
    expect(renderBar(completed, 80, true)).toContain("\x1b[32mcompleted\x1b[39m");
    expect(renderBar({ ...half, tone: "bad" }, 80, true)).toContain("\x1b[31m━━━━━\x1b[39m");
    expect(renderBar(completed, 80, false)).not.toContain("\x1b");
  });

  test("takes no orders from a label or a note", () => {
    const hostile = "a\x1b[2Jb\x1b]0;title\x07c\r\nd\u202ee\x9b1mf";
    const line = renderBar({ ...half, label: hostile, note: hostile }, 100, false);
    expect(line).toStartWith("abcdef  ━");
    expect(line.trimEnd()).toEndWith("  abcdef");
  });

  test("is never wider than the terminal, whatever it shows", () => {
    const random = new Random(7);
    const text = () => random.pick(["", "a", "レストラン", "👩‍👩‍👧‍👦é", "\x1b[31mx", "x".repeat(60)]);
    for (let i = 0; i < 2000; i++) {
      const state: BarState = {
        label: text(),
        done: random.int(0, 2 ** 40),
        total: random.pick([null, 0, 1, random.int(0, 2 ** 40)]),
        files: random.pick([undefined, { done: 1, total: random.int(1, 100_000) }]),
        bytesPerSecond: random.pick([null, 0, random.int(0, 2 ** 40)]),
        etaSeconds: random.pick([null, 0, random.int(0, 1e6)]),
        note: random.pick([null, text()]),
        tone: random.pick(["active", "good", "bad"] as const),
      };
      const width = random.int(0, 130);
      const columns = Bun.stringWidth(renderBar(state, width, random.pick([true, false])));
      expect({ state, width, fits: columns <= width }).toEqual({ state, width, fits: true });
    }
  });
});

test.each<[BarState, string]>([
  [half, "restaurant-001  63%  63.0 MiB / 100.0 MiB  410.1 MiB/s"],
  [queued, "restaurant-001  queued"],
  [completed, "restaurant-001  100%  100.0 MiB / 100.0 MiB  410.1 MiB/s  completed"],
  [{ ...queued, label: "a\n\x1b[1mb" }, "ab  queued"],
  [{ ...queued, reason: "no\nroom" }, "restaurant-001  queued: noroom"],
])("a line for a pipe (%#)", (state, line) => {
  expect(renderPlainLine(state)).toBe(line);
});

test.each([
  [0, "0:00"],
  [0.2, "0:01"],
  [59.5, "1:00"],
  [61, "1:01"],
  [3599.9, "1:00:00"],
  [3723, "1:02:03"],
  [360_000, "100:00:00"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
