import { describe, expect, test } from "bun:test";
import { Chosen, type ClientChoice } from "../../lib/api/chosen-clients.ts";

describe("a selection", () => {
  test.each<[ClientChoice, string, boolean]>([
    [{ all: true }, "site-1", true],
    [{ ids: ["site-1"] }, "site-1", true],
    [{ ids: ["site-1"] }, "site-10", false],
    [{ ids: ["site-*"] }, "site-10", true],
    [{ ids: ["*-1*0"] }, "site-10", true],
    [{ ids: ["till-*", "site-2"] }, "site-1", false],
    [{ labels: "region=west" }, "site-1", true],
    [{ labels: "region!=west" }, "site-1", false],
    [{ ids: ["till-*"], labels: "region=west" }, "site-1", false],
    [{ ids: ["site-*"], labels: "region=west" }, "site-1", true],
  ])("%p is for %s in the west: %p", (selection, clientId, expected) => {
    expect(new Chosen(selection).has(clientId, { region: "west" }, false)).toBe(expected);
  });

  test("is for a client that was revoked only where it is named", () => {
    expect(new Chosen({ all: true }).has("site-1", {}, true)).toBe(false);
    expect(new Chosen({ ids: ["site-*"] }).has("site-1", {}, true)).toBe(false);
    expect(new Chosen({ ids: ["site-1"] }).has("site-1", {}, true)).toBe(true);
  });
});
