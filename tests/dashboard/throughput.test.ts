import { expect, test } from "bun:test";
import { SPAN_MS, Throughput } from "../../lib/dashboard/throughput.ts";

const START = 1_700_000_000_000;

test("there is no line without a sample", () => {
  const throughput = new Throughput();
  expect(throughput.paths()).toEqual({ line: "", area: "" });
  expect(throughput.peak).toBe(0);
});

test("the line ends at the right edge, the peak at the top, and nothing at the bottom", () => {
  const throughput = new Throughput();
  throughput.add(START, 0);
  throughput.add(START + SPAN_MS / 2, 100);
  throughput.add(START + SPAN_MS, 50);
  expect(throughput.peak).toBe(100);
  expect(throughput.paths()).toEqual({
    line: "M0.0 47.0L150.0 1.0L300.0 24.0",
    area: "M0.0 47.0L150.0 1.0L300.0 24.0L300 48L0.0 48Z",
  });
});

test("only the last five minutes are kept", () => {
  const throughput = new Throughput();
  throughput.add(START, 1000);
  for (let second = 1; second <= 3600; second++) throughput.add(START + second * 1000, second % 7);
  expect(throughput.peak).toBe(6);
  expect(throughput.paths().line.split("L")).toHaveLength(SPAN_MS / 1000 + 1);
});

test("standing still is a flat line", () => {
  const throughput = new Throughput();
  throughput.add(START, 0);
  throughput.add(START + 1000, 0);
  expect(throughput.paths().line).toBe("M299.0 47.0L300.0 47.0");
});
