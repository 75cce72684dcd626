import { type Flag, type ParsedFlags, readSetting } from "../../util/flags.ts";
import { type Kind, size, wholeNumber } from "../../util/kinds.ts";

/** Flags of the programs that make test files. */
export const TEST_FILE_FLAGS = {
  size: { type: "string" },
  clients: { type: "string" },
} as const satisfies Record<string, Flag>;

export const TEST_FILE_FLAGS_HELP = `  --size SIZE
      bytes of each test file, such as 64KiB (default: 100MiB)
  --clients N
      how many clients get one, 1 to 999 (default: 3)`;

/**
 * Reads the values of {@link TEST_FILE_FLAGS}.
 * @param defaultSize default size of each file, such as `100MiB`
 * @returns size of each file in bytes, and the number of clients that get a file
 * @throws UsageError that names the flag, the value and what was expected
 */
export function readTestFileFlags(
  values: ParsedFlags["values"],
  defaultSize = "100MiB",
): { size: number; clients: number } {
  const read = (name: keyof typeof TEST_FILE_FLAGS, fallback: string, kind: Kind<number>) => {
    const text = String(values[name] ?? fallback);
    return readSetting({ source: `--${name}`, text }, kind.schema, kind.expected);
  };
  return {
    size: read("size", defaultSize, size(1)),
    clients: read("clients", "3", wholeNumber(1, 999)),
  };
}
