import { describe, expect, test } from "bun:test";
import { CLIENT_SETTINGS } from "../../lib/client/settings.ts";
import {
  type Check,
  examine,
  type Finding,
  parseCommandLine,
  runChecks,
} from "../../lib/util/checkup.ts";
import { UsageError } from "../../lib/util/flags.ts";

const OK: Finding = { status: "ok", text: "fine" };
const check = (name: string, finding: Finding, ...needs: string[]): Check => ({
  name,
  needs,
  run: () => finding,
});
const statuses = async (checks: Check[]) =>
  (await runChecks(checks, () => {})).map(({ status }) => status);

describe("a check", () => {
  const wrong: Finding = { status: "wrong", text: "broken" };

  test("whose grounds are missing is not tried, and says which", async () => {
    const chain = [check("a", wrong), check("b", OK, "a"), check("c", OK, "b"), check("d", OK)];
    const checked = await runChecks(chain, () => {});
    expect(checked.map(({ status }) => status)).toEqual(["wrong", "not_tried", "not_tried", "ok"]);
    expect(checked.slice(1, 3).map(({ text }) => text)).toEqual([
      'not tried, see "a"',
      'not tried, see "a"',
    ]);
  });

  test("is tried where what it needs does not apply", async () => {
    const other: Finding = { status: "not_needed", text: "none" };
    expect(await statuses([check("a", other), check("b", OK, "a")])).toEqual(["not_needed", "ok"]);
  });

  test("that never answers is given up, and told that it is", async () => {
    const never: Check = { name: "a", run: () => new Promise(() => {}) };
    let aborted = false;
    const heard: Check = {
      name: "b",
      run: (signal) =>
        new Promise(() => signal.addEventListener("abort", () => void (aborted = true))),
    };
    const [first] = await runChecks([never, heard], () => {}, 10);
    expect([first?.status, first?.text, aborted]).toEqual(["wrong", "no answer in 0.01 s", true]);
  });

  test("that throws is wrong", async () => {
    const thrown = async () => {
      throw new Error("why");
    };
    const [checked] = await runChecks([{ name: "a", run: thrown }], () => {});
    expect(checked).toMatchObject({ status: "wrong", text: "why", advice: null });
  });
});

describe("a checkup", () => {
  const told: string[] = [];
  const examined = async (json: boolean, read: () => number, checks: Check[] = []) => {
    told.length = 0;
    const write = (text: string) => void told.push(text);
    return examine(
      read,
      (number) => `number ${number}`,
      () => checks,
      { json, write },
    );
  };

  test("is told line by line, with what to do, and nothing that a terminal obeys", async () => {
    const broken: Finding = { status: "wrong", text: "bro\x1b[2Jken", advice: "mend\nit" };
    expect(await examined(false, () => 7, [check("place", broken)])).toBe(false);
    expect(told.join("")).toBe(
      [
        "✓ settings       number 7",
        "✗ place          broken",
        "                 → mendit",
        "",
        "One thing is wrong.",
        "",
      ].join("\n"),
    );
  });

  test("ends with settings that are wrong", async () => {
    const read = () => {
      throw new UsageError("--id is missing");
    };
    expect(await examined(true, read, [check("place", OK)])).toBe(false);
    expect(JSON.parse(told.join(""))).toEqual({
      ok: false,
      checks: [{ name: "settings", status: "wrong", text: "--id is missing", advice: null }],
    });
  });

  test("is well where nothing is wrong", async () => {
    expect(await examined(false, () => 1, [check("place", OK)])).toBe(true);
    expect(told.join("")).toEndWith("\nAll is well.\n");
  });
});

test("--json and --help are the checkup's, all else is a setting", () => {
  const read = (...argv: string[]) => parseCommandLine(argv, CLIENT_SETTINGS);
  expect(read("--id", "a", "--json")).toEqual({
    isHelp: false,
    json: true,
    flags: ["--id", "a"],
  });
  expect(read("-h").isHelp).toBe(true);
  // The values of flags are passed on unchecked. Unknown flags and words without a flag are errors.
  expect(read("--id", "a b").flags).toEqual(["--id", "a b"]);
  for (const wrong of [["--rot", "x"], ["--id"], ["--json=no"], ["word"]]) {
    expect(() => read(...wrong)).toThrow(UsageError);
  }
});
