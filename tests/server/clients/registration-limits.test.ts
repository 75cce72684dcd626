import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { RegistrationLimits } from "../../../lib/server/clients/registration-limits.ts";

let limits: RegistrationLimits;

beforeEach(() => {
  jest.useFakeTimers();
  limits = new RegistrationLimits();
});
afterEach(() => jest.useRealTimers());

/**
 * Counts registrations until one is refused. @returns how many were allowed
 * @param clientIdOf returns the client id of the n-th registration
 */
function count(address: string, clientIdOf: (n: number) => string, isNew = false): number {
  for (let n = 0; n < 50_000; n++) {
    try {
      limits.count(clientIdOf(n), address, isNew);
    } catch (error) {
      expect(error).toMatchObject({ code: "rate_limited" });
      return n;
    }
  }
  return Infinity;
}

describe("registrations", () => {
  test("of one client are 60 in a row, and then one a second, from wherever it comes", () => {
    expect(count("10.0.0.1", () => "a")).toBe(60);
    expect(count("10.0.0.2", () => "a")).toBe(0);
    expect(count("10.0.0.1", () => "b")).toBe(60);
    jest.advanceTimersByTime(5_000);
    expect(count("10.0.0.1", () => "a")).toBe(5);
  });

  test("of one address are 20,000 in a row, and then a hundred a second", () => {
    const many = (n: number) => `site-${n}`;
    expect(count("10.0.0.1", many)).toBe(20_000);
    expect(count("10.0.0.2", many)).toBe(20_000);
    jest.advanceTimersByTime(1_000);
    expect(count("10.0.0.1", many)).toBe(100);
  });

  test("of ids that were never there are 20,000 of an address, and then one each 10 s", () => {
    const fresh = (n: number) => `new-${n}`;
    expect(count("10.0.0.1", fresh, true)).toBe(20_000);
    jest.advanceTimersByTime(60_000);
    expect(count("10.0.0.1", (n) => `newer-${n}`, true)).toBe(6);
    expect(count("10.0.0.1", () => "known")).toBe(60);
  });
});

describe("an address has to wait", () => {
  test.each<[string, (address: string) => void, number]>([
    ["of which 2,000 were refused", (address) => limits.countRefused(address), 1_000],
    ["of which 2,000 left unregistered", (address) => limits.countUnregistered(address), 1],
  ])("%s", (_, happens, wait) => {
    for (let n = 0; n < 1_999; n++) happens("10.0.0.1");
    expect(limits.waitOf("10.0.0.1")).toBe(0);
    happens("10.0.0.1");
    expect(limits.waitOf("10.0.0.1")).toBe(wait);
    expect(limits.waitOf("10.0.0.2")).toBe(0);
    jest.advanceTimersByTime(wait);
    expect(limits.waitOf("10.0.0.1")).toBe(0);
  });
});
