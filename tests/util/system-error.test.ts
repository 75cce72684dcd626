import { expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import { FdsError } from "../../lib/protocol/errors.ts";
import { systemCode } from "../../lib/util/system-error.ts";

test("an error of the system has its name", async () => {
  expect(systemCode(await stat("none").catch((error: unknown) => error))).toBe("ENOENT");
});

test("no other error has one", async () => {
  const wrongArgument = await stat("a\0b").catch((error: unknown) => error);
  for (const error of [
    wrongArgument,
    new FdsError("internal_error", "x"),
    new Error("ENOENT"),
    { code: "ENOENT", errno: -2 },
    "ENOENT",
    null,
  ]) {
    expect(systemCode(error)).toBeNull();
  }
});
