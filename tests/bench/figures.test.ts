import { describe, expect, test } from "bun:test";
import { type Bar, judge, limitOf } from "./core/bars.ts";
import { Figures } from "./core/figures.ts";
import { formatNumber } from "./core/report.ts";
import { alternate } from "./core/scenario.ts";
import { quantile, spreadOf } from "./core/statistics.ts";

describe("values", () => {
  test("have a middle, in any order", () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(spreadOf([5, 9, 1])).toEqual({ median: 5, min: 1, max: 9 });
  });

  test("have quantiles between two of them", () => {
    const hundred = Array.from({ length: 101 }, (_, n) => n);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9);
    expect(quantile([7], 0.99)).toBe(7);
  });

  test("that are not there have none", () => {
    expect(() => quantile([], 0.5)).toThrow("there are no values");
  });
});

describe("figures", () => {
  test("are compared within each round", () => {
    const figures = new Figures();
    for (const value of [1, 2, 30]) figures.add("theirs", "s", value);
    for (const value of [2, 2, 10]) figures.add("ours", "s", value);
    figures.compare("theirs ÷ ours", "theirs", "ours");
    expect(figures.list().at(-1)).toEqual({
      name: "theirs ÷ ours",
      unit: "ratio",
      values: [0.5, 1, 3],
      median: 1,
      min: 0.5,
      max: 3,
    });
  });

  test("are not compared with what was not measured", () => {
    const figures = new Figures();
    figures.add("ours", "s", 1);
    figures.compare("theirs ÷ ours", "theirs", "ours");
    expect(figures.list().map(({ name }) => name)).toEqual(["ours"]);
  });
});

test("contenders take turns, in both directions", async () => {
  const turns: string[] = [];
  const contender = (name: string) => async (round: number) => void turns.push(name + round);
  const { signal } = new AbortController();
  await alternate({ rounds: 3, signal }, [contender("a"), contender("b")]);
  expect(turns).toEqual(["a0", "b0", "b1", "a1", "a2", "b2"]);
});

test("nothing more is measured once somebody has ended it", async () => {
  const stop = new AbortController();
  let rounds = 0;
  const contender = async () => {
    rounds++;
    stop.abort(new Error("ended"));
  };
  const measuring = alternate({ rounds: 3, signal: stop.signal }, [contender]);
  expect(await measuring.catch((error: Error) => error.message)).toBe("ended");
  expect(rounds).toBe(1);
});

describe("a bar", () => {
  const bar = (limit: Partial<Bar>): Bar => ({ what: "it", scenario: "s", figure: "f", ...limit });
  const verdictOf = (limit: Partial<Bar>, median: number) => {
    const figures = [
      { name: "f", unit: "ratio" as const, values: [median], ...spreadOf([median]) },
    ];
    const result = { name: "s", about: "", rounds: 1, seconds: 1, figures, notRun: [] };
    return judge([bar(limit)], [result]).map(({ verdict }) => verdict);
  };

  test.each([
    [{ atLeast: 2 }, 2, "reached"],
    [{ atLeast: 2 }, 1.9, "missed"],
    [{ atMost: 2 }, 2, "reached"],
    [{ atMost: 2 }, 2.1, "missed"],
  ] as const)("of %j is judged: %d", (limit, median, verdict) => {
    expect(verdictOf(limit, median)).toEqual([verdict]);
  });

  test("of a figure that is not there was not measured", () => {
    expect(verdictOf({ atLeast: 1, figure: "other" }, 1)).toEqual(["not measured"]);
  });

  test("of a scenario that did not run says nothing", () => {
    expect(verdictOf({ atLeast: 1, scenario: "other" }, 1)).toEqual([]);
  });

  test("reads as what it asks for", () => {
    expect([limitOf(bar({ atLeast: 0.6 })), limitOf(bar({ atMost: 25 }))]).toEqual([
      "≥ 0.6",
      "≤ 25",
    ]);
  });
});

test.each([
  [0, "0"],
  [0.12345, "0.123"],
  [9.999, "10"],
  [64.25, "64.3"],
  [1234.5, "1235"],
])("%d reads as %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});
