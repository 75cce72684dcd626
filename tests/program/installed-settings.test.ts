import { expect, test } from "bun:test";
import { join } from "node:path";
import { withInstalledSettings } from "../../lib/program/service/installed-settings.ts";

const INSTALLED = import.meta.path;
const NONE = join(import.meta.dir, "there-is-no-such-file.conf");

test.each<[string, string[], string, string[]]>([
  ["without flags it is what is installed", [], INSTALLED, ["--config", INSTALLED]],
  ["also for a script", ["--json"], INSTALLED, ["--json", "--config", INSTALLED]],
  ["a flag names another", ["--id", "till-2"], INSTALLED, ["--id", "till-2"]],
  ["whoever asks for help gets that", ["--help"], INSTALLED, ["--help"]],
  ["nothing is installed", [], NONE, []],
])("a doctor's settings: %s", (_, argv, file, wanted) => {
  expect(withInstalledSettings(argv, file)).toEqual(wanted);
});
